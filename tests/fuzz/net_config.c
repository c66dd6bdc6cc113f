// SPDX-License-Identifier: MIT
/* The parser of /etc/network.conf on arbitrary text. */
#include <config.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct config_table t;
    char text[CONFIG_TEXT];
    if (size >= sizeof(text)) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    int line = config_parse(&t, text);
    return line < 0 || t.count > CONFIG_INTERFACES ? -1 : 0;
}
