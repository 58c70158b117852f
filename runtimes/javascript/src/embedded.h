// The runtime's own JavaScript, by build.sh: as text for precompile.c, then compiled for modules.c.
#pragma once

extern char embedded_main[];
// Without the zero byte that ends it.
extern const unsigned long embedded_main_bytes;
