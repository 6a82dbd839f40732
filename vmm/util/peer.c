#include "util/peer.h"

#include <sys/socket.h>
#include <unistd.h>

bool peer_is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	return peer.uid == geteuid() || peer.uid == 0;
}
