// SPDX-License-Identifier: MIT
/* For keymap_test.py: lines "KEY VALUE" on stdin, or of a symbol "0 -1 SYMBOL"; what each types on stdout. */
#include <keymap.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    unsigned key, symbol;
    int value;
    struct keys k = {};
    if (argc < 2 || !keys_configure(&k, argv[1], strlen(argv[1]))) return 2;
    while (scanf("%u %d", &key, &value) == 2) {
        uint32_t out[KEYS_SYMBOLS_MAX];
        if (value < 0 && scanf("%x", &symbol) != 1) return 2;
        size_t count = value < 0 ? keys_symbol(&k, (uint16_t)symbol, out) : keys_event(&k, (uint16_t)key, value, out);
        for (size_t i = 0; i < count; i++) printf("%x ", out[i]);
        printf("\n");
    }
    return 0;
}
