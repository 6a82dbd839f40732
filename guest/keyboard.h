/* The keyboard, for the sake of one thing to type on it: Ctrl-Alt-Del, which powers off. */
#pragma once

/* Listens, unless the command line has `nobutton`. */
void keyboard_init(void);
