// SPDX-License-Identifier: MIT
/* What the bench's fork_exec_wait and spawn_wait start. */
int main(void) { return 0; }
