// SPDX-License-Identifier: MIT
/* The lines that have left an emulator's screen. */
#pragma once
#include "emulator.h"

void history_push(struct emulator *e, int columns, const VTermScreenCell *cells);
/* The newest line comes back to the screen: 0 if there is none. */
int history_pop(struct emulator *e, int columns, VTermScreenCell *cells);
/* As emulator_cell, of a line by its number; a line that is forgotten is empty. */
bool history_cell(const struct emulator *e, uint64_t line, int column, struct cell *out);
void history_forget(struct emulator *e); /* all lines */
void history_free(struct emulator *e);
/* emulator.c */
void cell_from_vterm(const struct emulator *e, const VTermScreenCell *from, struct cell *out);
