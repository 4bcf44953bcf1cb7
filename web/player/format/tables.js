// The tables of SPEC.md: the words of section 1, the initial probabilities of section 6.5.

/** Words that a string may be said by. */
export const WORDS = [
  "mobilestylegan-ffhq",
  "identity_frame",
  "preset",
  "fast",
  "medium",
  "slow",
  "tune",
  "none",
  "light",
  "full",
  "provenance",
  "aac",
  "mp3",
  "opus",
];

/** Of the 930 contexts of a segment. */
export const SEGMENT = bytes(
  "fa808080808080808080808080808080808005d907c019fdff10fffffffffffff7fbfffffbfffffb" +
  "8d4a819e9e9e9e9e44587f7c6d937d7a0d2f5c84ac89979c9e9edfdcd8dbcfd49e9eb7ebcfe1e8f0" +
  "9e9e9eb7dfdfcff69e9e9e9eb7c5dbf69e9e9e9e9ed6e2fd4e67346b82786bab5f7abb96924f5fe7" +
  "92af5fd177a468cf9e9e92bbcfd6dff84071295d66766188b78d8dae927acfc19e9e77e59e9e77d7" +
  "77b7b7de9eb7c5f06c633d46528d88c69e92bbd4c577a4d89e9e9ef39e9e9edd9e779edb9e9eb7f3" +
  "4175447cc896a59c9edbb1c4b7b7c9cd9eb7c5e39eb7b7d99e9e9eedcfd6b7fcf27a1ee3d06ed1d8" +
  "539d752f9d2029a83208eaa40a3bd5e2d2b1f6f5bbf4d1f4f2f3f2083690d6c4e2e0dce4e8e8e5e6" +
  "e52e2548d6c4e2e0dce4e8e8e5e6e56f2353b493e2e0dce4e8e8e5e6e590616f788987e0dce4e8e8" +
  "e5e6e5d29854797a87e0dce4e8e8e5e6e5edb6576392aab9e5ebeeeeabe6e5f4f1e0e3c8e5e0dde3" +
  "e9e8e6e7e6073e90d6c4e2e0dce4e8e8e5e6e5346f9ec4b1f6f5bbf4d1f4f2f3f25440a4808ca9e0" +
  "dce4e8e8e5e6e58654849c8ca9e0dce4e8e8e5e6e582759dc085b470dce4e8e8e5e6e5aa8c7880c1" +
  "c6eceabceeeeebedacc0b76e8089bbe8e5ebeeeeebedece6daccdfc9e5e1dde4e9e8e5e6e7bd879a" +
  "afb5bec7d0d4d8e5dcdddfe5e70b1c2938383838381e3b5a738487808b132e52788d94a7b038cfcf" +
  "bcb5b4b3bf3838cee1d1d1d5d6383838c4f3d6d9e438383838c9eedcea3838383838c6e5f32c4543" +
  "576d7c89948a92a6ab819dafc18c9a9cc2829ba3ca44b49ee9aaa09bef1d3a234d3066617d86909b" +
  "a2919893c3b899bacccfa494d67591b4dfb1cbbde53f61416a607a749b979c9bae9693c1d0b5aec4" +
  "c090b5aadc85b2a0e0d5dcd5e944432d3f83737ba4a0649ebf9c4685b16abe95c871a0a0c188c983" +
  "dac4b3a5e3e78c30b0cc389dbb27c7823fa8444ae34052a6801d0b7c8bbbbadc9dc3a0e6c8e0b8db" +
  "061e2c50bc8db0b8c0c5d2c1c6c3222e41427e9a69b8c0c5d2c1c6c3594855644d629c8ac0c5d2c1" +
  "c6c3886766738b9b9558a6d3de90c6c3a67d6c786cb497bdce89b1d0d492caa17e838b9298a7a0e6" +
  "ec9cdda8e6d5c6b5b4c5b7bec4c5d3c4c5c80311315ea5bcb0b8c0c5d2c1c6c321355794b0d19dc3" +
  "a0e6c8e0b8db3f355a4154b39c8ac0c5d2c1c6c35e52557c5a6269b8c0c5d2c1c6c3806b6578828e" +
  "777390c5d2c1c6c38f7c6a777f88ac76a693d2c1c6c39f8e83789e8671a58ad39ec1c6c3c9bfb5af" +
  "afc6b7bdc5c4d6c0c8c2",
);

/** Of the 168 contexts of an identity. */
export const IDENTITY = bytes(
  "b66c5d645e64567056aca45d9989aea0b7ad204080d19f9288807d7581795b655fa53aaea0b7ad20" +
  "4080dcb5a9a09b958e897a879674798bc85cc981204080e8d0cbc6c0bab9b3b1b2a5af9fa3a8c4bb" +
  "b7084080eedad4ccbfc2beb0bf9ab0b79160ab8ab1ce463080f5e0d7d3d8bbb5ccbcb4b5a8c9a9b4" +
  "9cb19b184080d6b3b4bf96c99ec1c08b769c9989aea0b7ad204080ce9d96949293929896939d9c99" +
  "89aea0b7ad204080",
);

/**
 * @param {string} hex
 * @returns {Uint8Array}
 */
function bytes(hex) {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
