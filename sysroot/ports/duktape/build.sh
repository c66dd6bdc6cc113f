# SPDX-License-Identifier: MIT
# duktape: JavaScript; its command line without the line editor that its Makefile would download.
cd "$SOURCE"
$CC -O2 -w -std=c99 -Isrc -Iexamples/cmdline -Iextras/print-alert -Iextras/console -DDUK_CMDLINE_PRINTALERT_SUPPORT \
    -DDUK_CMDLINE_CONSOLE_SUPPORT -o duk src/duktape.c examples/cmdline/duk_cmdline.c \
    extras/print-alert/duk_print_alert.c extras/console/duk_console.c -lm
program duk
