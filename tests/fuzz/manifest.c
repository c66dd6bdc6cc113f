// SPDX-License-Identifier: MIT
/* The manifest parser on arbitrary text. */
#include <manifest.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct manifest m;
    unsigned line;
    if (manifest_parse(&m, (const char *)data, size, &line) == 0) {
        manifest_opens(&m, "file");
        manifest_matches(&m, 0x1af4, 0x1042, 0x010000);
        manifest_wanted(&m, m.arguments[0]);
    }
    return 0;
}
