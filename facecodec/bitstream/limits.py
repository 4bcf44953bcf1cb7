"""The promises of SPEC.md section 3: what a stream may claim before a reader refuses it."""

VERSION = 1  # of files
LIVE_VERSION = 2  # of streams whose segments may continue others, and of datagrams
VERSIONS = (VERSION, LIVE_VERSION)

MAX_HEADER = 1 << 14  # bytes of payload of the header chunk
MAX_CHUNK = 1 << 20  # bytes of payload of any chunk
MAX_INDEX = 1 << 18  # bytes of payload of the end chunk
MAX_SEGMENT = 1 << 16  # bytes of payload of one segment
MAX_SEGMENT_FRAMES = 240
SMALLEST_SEGMENT = 10  # bytes of a segment with the chunk around it, at least
MAX_FRAMES_PER_BYTE = MAX_SEGMENT_FRAMES // SMALLEST_SEGMENT
MAX_GROUP_FRAMES = MAX_SEGMENT_FRAMES  # frames of a key and of what continues it, together
MAX_BACK = 8  # frames from the last of a segment to the first of one that continues it
MAX_CONTINUED = 1 << 12  # bytes of payload of a segment that continues another
MAX_PARTS = 1 << 12  # of a chunk that comes in parts
STREAM_ID_BYTES = 8
MAX_CONTROLS = 64
MAX_NUM_WS = 64
MAX_W_DIM = 1024
MAX_RESOLUTION = 8192  # pixels a side of the generator's picture
MAX_SIDE = 65535  # pixels a side of the source video
MAX_STRING = 127  # bytes of UTF-8 of a text that is written out
MAX_METADATA = 64  # pairs of texts
MAX_EXTRADATA = 1 << 16  # bytes of audio codec parameters
MAX_AUDIO_PACKET = 1 << 19  # bytes
MAX_TUNING_PARTS = 256
MAX_STYLES = 1 << 14  # of a light tuning: no generator in use has 10,000
MAX_WEIGHTS = 1 << 27  # of a full tuning
MAX_CONTEXT = 1 << 18  # bytes of payload of the plate of a context, and of a segment's pictures
MAX_CONTEXT_PIXELS = 1 << 21  # of each of its pictures
MAX_LEVEL = (1 << 18) - 1  # magnitude of a quantised value: times a step it is exact in float32
MAX_F16 = 65504.0  # the largest finite half float
MAX_VARINT = (1 << 63) - 1
MAX_PTS = 1 << 48  # magnitude of a timestamp, in units of the time base
# Bytes that may be checksummed in search of a chunk after damage, per byte of the file so far.
SCAN_WORK = 64
