// SPDX-License-Identifier: MIT
/*
 * Scan code set 2 and mouse packets (IBM PS/2 Hardware Interface Technical Reference, Keyboards; Mouse).
 *
 * Pause sends its whole sequence when it is pressed and nothing when it is released.  E0 12 and E0 59, which some keys
 * put around their own codes to undo Shift and NumLock, are no keys.
 */
#include "decode.h"

enum { BYTE_OVERRUN = 0x00, BYTE_F7 = 0x83, BYTE_SYSRQ = 0x84, BYTE_E0 = 0xe0, BYTE_E1 = 0xe1, BYTE_BREAK = 0xf0 };
enum { BYTE_ERROR = 0xff, FAKE_LEFT = 0x12, FAKE_RIGHT = 0x59, CODE_F7 = 65 };
static const uint8_t pause_rest[] = {0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77}; /* after E1 */

static const uint8_t plain[128] = {
    [0x01] = 67,  [0x03] = 63, [0x04] = 61, [0x05] = 59,  [0x06] = 60, [0x07] = 88, [0x09] = 68, [0x0a] = 66,
    [0x0b] = 64,  [0x0c] = 62, [0x0d] = 15, [0x0e] = 41,  [0x11] = 56, [0x12] = 42, [0x13] = 93, [0x14] = 29,
    [0x15] = 16,  [0x16] = 2,  [0x1a] = 44, [0x1b] = 31,  [0x1c] = 30, [0x1d] = 17, [0x1e] = 3,  [0x21] = 46,
    [0x22] = 45,  [0x23] = 32, [0x24] = 18, [0x25] = 5,   [0x26] = 4,  [0x29] = 57, [0x2a] = 47, [0x2b] = 33,
    [0x2c] = 20,  [0x2d] = 19, [0x2e] = 6,  [0x31] = 49,  [0x32] = 48, [0x33] = 35, [0x34] = 34, [0x35] = 21,
    [0x36] = 7,   [0x3a] = 50, [0x3b] = 36, [0x3c] = 22,  [0x3d] = 8,  [0x3e] = 9,  [0x41] = 51, [0x42] = 37,
    [0x43] = 23,  [0x44] = 24, [0x45] = 11, [0x46] = 10,  [0x49] = 52, [0x4a] = 53, [0x4b] = 38, [0x4c] = 39,
    [0x4d] = 25,  [0x4e] = 12, [0x51] = 89, [0x52] = 40,  [0x54] = 26, [0x55] = 13, [0x58] = 58, [0x59] = 54,
    [0x5a] = 28,  [0x5b] = 27, [0x5d] = 43, [0x61] = 86,  [0x64] = 92, [0x66] = 14, [0x67] = 94, [0x69] = 79,
    [0x6a] = 124, [0x6b] = 75, [0x6c] = 71, [0x6d] = 121, [0x70] = 82, [0x71] = 83, [0x72] = 80, [0x73] = 76,
    [0x74] = 77,  [0x75] = 72, [0x76] = 1,  [0x77] = 69,  [0x78] = 87, [0x79] = 78, [0x7a] = 81, [0x7b] = 74,
    [0x7c] = 55,  [0x7d] = 73, [0x7e] = 70,
};
static const uint8_t extended[128] = {
    [0x11] = 100, [0x14] = 97,  [0x15] = 165, [0x1f] = 125, [0x21] = 114, [0x23] = 113, [0x27] = 126, [0x2f] = 127,
    [0x32] = 115, [0x34] = 164, [0x37] = 116, [0x3b] = 166, [0x3f] = 142, [0x4a] = 98,  [0x4d] = 163, [0x5a] = 96,
    [0x5e] = 143, [0x69] = 107, [0x6b] = 105, [0x6c] = 102, [0x70] = 110, [0x71] = 111, [0x72] = 108, [0x74] = 106,
    [0x75] = 103, [0x7a] = 109, [0x7c] = 99,  [0x7d] = 104, [0x7e] = 119,
};

static size_t report(struct decoded *out, size_t count) {
    if (count > 0) out[count++] = (struct decoded){INPUT_SYN, SYN_REPORT, 0};
    return count;
}

static size_t key_change(struct keyboard *k, uint8_t code, bool pressed, struct decoded *out) {
    uint8_t *byte = &k->down[code / 8], bit = (uint8_t)(1u << code % 8);
    bool down = *byte & bit;
    if (!pressed && !down) return 0;
    *byte = (uint8_t)(pressed ? *byte | bit : *byte & ~bit);
    out[0] = (struct decoded){INPUT_KEY, code, pressed ? 1 + down : 0};
    return report(out, 1);
}

size_t keyboard_release(struct keyboard *k, struct decoded *out) {
    size_t count = 0;
    for (unsigned code = 0; code < 256; code++)
        if (k->down[code / 8] & 1u << code % 8) out[count++] = (struct decoded){INPUT_KEY, (uint16_t)code, 0};
    *k = (struct keyboard){};
    return report(out, count);
}

static size_t pause_byte(struct keyboard *k, uint8_t byte, struct decoded *out) {
    bool right = byte == pause_rest[k->pause_at];
    if (right && ++k->pause_at < sizeof(pause_rest)) return 0;
    k->prefix = k->pause_at = 0;
    if (!right) return 0;
    size_t count = key_change(k, KEY_PAUSE, true, out);
    return count + key_change(k, KEY_PAUSE, false, out + count);
}

static uint8_t code_of(uint8_t prefix, uint8_t byte) {
    if (prefix == BYTE_E0) return byte < 128 && byte != FAKE_LEFT && byte != FAKE_RIGHT ? extended[byte] : 0;
    return byte < 128 ? plain[byte] : byte == BYTE_F7 ? CODE_F7 : byte == BYTE_SYSRQ ? KEY_SYSRQ : 0;
}

size_t keyboard_byte(struct keyboard *k, uint8_t byte, struct decoded *out) {
    if (byte == BYTE_OVERRUN || byte == BYTE_ERROR) return keyboard_release(k, out);
    if (k->prefix == BYTE_E1) return pause_byte(k, byte, out);
    if (byte == BYTE_E0 || byte == BYTE_E1) {
        k->prefix = byte;
        k->release = false;
        return 0;
    }
    if (byte == BYTE_BREAK) {
        k->release = true;
        return 0;
    }
    uint8_t code = code_of(k->prefix, byte);
    bool pressed = !k->release;
    k->prefix = 0;
    k->release = false;
    return code ? key_change(k, code, pressed, out) : 0;
}

/* --- mice --- */
enum { FIRST_BUTTONS = 7, FIRST_ALWAYS = 8, FIRST_X_SIGN = 0x10, FIRST_Y_SIGN = 0x20, FIRST_OVERFLOW = 0xc0 };

static size_t buttons_change(struct mouse *m, uint8_t now, struct decoded *out) {
    size_t count = 0;
    for (unsigned i = 0; i < 5; i++)
        if ((m->buttons ^ now) >> i & 1)
            out[count++] = (struct decoded){INPUT_KEY, (uint16_t)(BTN_LEFT + i), now >> i & 1};
    m->buttons = now;
    return count;
}

static size_t move(struct decoded *out, uint16_t axis, int32_t value) {
    *out = (struct decoded){INPUT_REL, axis, value};
    return value != 0;
}

static size_t packet_decode(struct mouse *m, struct decoded *out) {
    const uint8_t first = m->packet[0], fourth = m->packet_size == 4 ? m->packet[3] : 0;
    size_t count = buttons_change(m, (uint8_t)((first & FIRST_BUTTONS) | (m->five ? (fourth & 0x30) >> 1 : 0)), out);
    if (!(first & FIRST_OVERFLOW)) { /* else the distance is not known */
        count += move(out + count, REL_X, m->packet[1] - (first & FIRST_X_SIGN ? 256 : 0));
        count += move(out + count, REL_Y, (first & FIRST_Y_SIGN ? 256 : 0) - m->packet[2]); /* theirs goes up */
    }
    int wheel = m->five ? ((fourth & 15) ^ 8) - 8 : (int8_t)fourth;
    count += move(out + count, REL_WHEEL, -wheel);
    return report(out, count);
}

size_t mouse_byte(struct mouse *m, uint8_t byte, struct decoded *out) {
    if (m->count == 0 && !(byte & FIRST_ALWAYS)) return 0; /* not a first byte: back into step */
    m->packet[m->count++] = byte;
    if (m->count < m->packet_size) return 0;
    m->count = 0;
    return packet_decode(m, out);
}

size_t mouse_release(struct mouse *m, struct decoded *out) {
    size_t count = buttons_change(m, 0, out);
    m->count = 0;
    return report(out, count);
}
