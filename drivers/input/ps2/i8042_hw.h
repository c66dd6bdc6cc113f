// SPDX-License-Identifier: MIT
/* The keyboard controller 8042 and the devices behind it (IBM PS/2 Hardware Interface Technical Reference). */
#pragma once

enum { PORT_DATA = 0x60, PORT_STATUS = 0x64, PORT_COMMAND = 0x64 };
enum status {
    STATUS_OUTPUT = 0x01,
    STATUS_INPUT = 0x02,
    STATUS_SECOND = 0x20,
    STATUS_ERRORS = 0xc0,
    STATUS_NOTHING = 0xff
};

enum controller_command {
    CONTROLLER_READ_CONFIG = 0x20,
    CONTROLLER_WRITE_CONFIG = 0x60,
    CONTROLLER_DISABLE_SECOND = 0xa7,
    CONTROLLER_ENABLE_SECOND = 0xa8,
    CONTROLLER_TEST_SECOND = 0xa9,
    CONTROLLER_TEST = 0xaa, /* answers CONTROLLER_TESTED */
    CONTROLLER_TEST_FIRST = 0xab, /* answers 0 */
    CONTROLLER_DISABLE_FIRST = 0xad,
    CONTROLLER_ENABLE_FIRST = 0xae,
    CONTROLLER_TO_SECOND = 0xd4, /* the next byte goes to the second port */
};
#define CONTROLLER_TESTED 0x55
enum config {
    CONFIG_FIRST_INTERRUPT = 0x01,
    CONFIG_SECOND_INTERRUPT = 0x02,
    CONFIG_FIRST_OFF = 0x10,
    CONFIG_SECOND_OFF = 0x20,
    CONFIG_TRANSLATE = 0x40, /* set 2 into set 1 */
};

enum device_command {
    DEVICE_LEDS = 0xed, /* keyboard */
    DEVICE_SCAN_SET = 0xf0, /* keyboard */
    DEVICE_IDENTIFY = 0xf2,
    DEVICE_RATE = 0xf3, /* keyboard: repeat; mouse: samples per second */
    DEVICE_REPORT = 0xf4,
    DEVICE_RESET = 0xff, /* answers ACK, DEVICE_TESTED, a mouse its kind, too */
};
enum { DEVICE_ACK = 0xfa, DEVICE_RESEND = 0xfe, DEVICE_TESTED = 0xaa };
enum { MOUSE_PLAIN = 0, MOUSE_WHEEL = 3, MOUSE_FIVE = 4 };
