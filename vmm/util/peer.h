/* Who is at the other end of a unix socket. */
#pragma once

#include <stdbool.h>

/* A process of this one's effective user, or of root: whoever types on a guest is to be root in many a one. */
bool peer_is_ours(int fd);
