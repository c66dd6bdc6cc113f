// SPDX-License-Identifier: MIT
/*
 * Formatted output into a buffer: d i u x X p s c %, flags 0 - #, width, precision of s, lengths
 * l ll z h hh. Always terminates the string; returns the length it would have had.
 */
#include <kernel/lib.h>
#include <kernel/log.h>
#include <stdarg.h>

struct output {
    char *buf;
    size_t size, length;
};

static void put(struct output *o, char c) {
    if (o->length + 1 < o->size) o->buf[o->length] = c;
    o->length++;
}

static void put_padded(struct output *o, const char *s, size_t n, size_t width, bool left, char pad) {
    size_t fill = width > n ? width - n : 0;
    if (pad == '0' && n && *s == '-') { /* the sign goes before the zeros */
        put(o, *s++);
        n--;
    }
    for (; !left && fill; fill--) put(o, pad);
    for (; n; n--) put(o, *s++);
    for (; fill; fill--) put(o, ' ');
}

static size_t format_number(char *end, uint64_t v, unsigned base, bool upper, bool negative) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char *p = end;
    do *--p = digits[v % base];
    while (v /= base);
    if (negative) *--p = '-';
    return (size_t)(end - p);
}

struct spec {
    bool left, wide, prefix;
    char pad;
    size_t width, precision;
};

static size_t parse_number(const char **format, va_list *args) {
    size_t n = 0;
    if (**format == '*') {
        ++*format;
        int v = va_arg(*args, int);
        return v < 0 ? 0 : (size_t)v;
    }
    for (; **format >= '0' && **format <= '9'; ++*format) n = n * 10 + (size_t)(**format - '0');
    return n;
}

static struct spec parse_spec(const char **format, va_list *args) {
    struct spec s = {.pad = ' ', .precision = SIZE_MAX};
    for (;; ++*format) {
        if (**format == '-') s.left = true;
        else if (**format == '0') s.pad = '0';
        else if (**format == '#') s.prefix = true;
        else break;
    }
    s.width = parse_number(format, args);
    if (**format == '.') {
        ++*format;
        s.precision = parse_number(format, args);
    }
    for (; **format == 'l' || **format == 'z' || **format == 'h'; ++*format) s.wide |= **format != 'h';
    return s;
}

static void put_conversion(struct output *o, char c, const struct spec *s, va_list *args) {
    char digits[32], *end = digits + sizeof(digits);
    size_t n;
    if (c == 's') {
        const char *text = va_arg(*args, const char *);
        if (!text) text = "(null)";
        put_padded(o, text, strnlen(text, s->precision), s->width, s->left, ' ');
        return;
    }
    if (c == 'c' || c == '%') {
        char ch = c == 'c' ? (char)va_arg(*args, int) : '%';
        put_padded(o, &ch, 1, s->width, s->left, ' ');
        return;
    }
    if (c == 'd' || c == 'i') {
        int64_t v = s->wide ? va_arg(*args, int64_t) : va_arg(*args, int);
        n = format_number(end, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, false, v < 0);
    } else {
        bool hex = c != 'u', wide = s->wide || c == 'p';
        uint64_t v = wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
        n = format_number(end, v, hex ? 16 : 10, c == 'X', false);
        if (hex && s->prefix) {
            put(o, '0');
            put(o, 'x');
        }
    }
    put_padded(o, end - n, n, s->width, s->left, s->left ? ' ' : s->pad);
}

size_t print_vformat(char *buf, size_t size, const char *format, va_list list) {
    struct output o = {buf, size, 0};
    va_list args;
    va_copy(args, list);
    for (; *format; format++) {
        if (*format != '%') {
            put(&o, *format);
            continue;
        }
        format++;
        struct spec s = parse_spec(&format, &args);
        if (!*format) break;
        put_conversion(&o, *format, &s, &args);
    }
    va_end(args);
    if (size) buf[min(o.length, size - 1)] = 0;
    return o.length;
}

size_t print_format(char *buf, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t n = print_vformat(buf, size, format, args);
    va_end(args);
    return n;
}
