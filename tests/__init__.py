"""The tests of facecodec; folders mirror the packages."""
