// SPDX-License-Identifier: MIT
/* A library that programs are linked with: general dynamic, local dynamic and initial exec TLS. */
__thread int general = 10;
static __thread int dynamic[100] = {20};
__attribute__((tls_model("initial-exec"))) static __thread int initial = 30;

int linked_add(int n) {
    general += n;
    dynamic[0] += n;
    initial += n;
    return general * 10000 + dynamic[0] * 100 + initial;
}
const char *word(void) { return "linked"; }
