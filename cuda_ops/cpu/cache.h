// How large the cache is that a core has to itself.
#pragma once

#include <algorithm>
#include <unistd.h>

namespace facecodec {

// Bytes, within what processors have: half a megabyte where the system does not say.
inline long core_cache() {
  long size = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
  size = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  return std::min(std::max(size, 524288L), 2097152L);
}

} // namespace facecodec
