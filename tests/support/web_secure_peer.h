/* web_secure_peer.h - encrypted requests without encryption, for web_peer.c. */
#ifndef TESTS_SUPPORT_WEB_SECURE_PEER_H
#define TESTS_SUPPORT_WEB_SECURE_PEER_H
#include <stdbool.h>
#include "core/msg.h"
#include "daemon/wire.h"

/* Answer a frame of an encrypted request; false when it is another. */
bool peer_answer_secure(int fd, const struct msg *m);

#endif
