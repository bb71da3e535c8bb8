#include "core/link.h"

#include <string.h>

#include "core/buf.h"
#include "core/msg.h"

enum { HOST_MAX = 253 };        /* RFC 1035 2.3.4, as text without the final dot */

bool link_name_ok(const char *name, size_t len)
{
    if (len == 0 || len > LINK_NAME_MAX) return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        /* No slash, and no dot or dash in front: a name can be neither `..`, nor hidden, nor an option. */
        if (!plain && !(i > 0 && (c == '.' || c == '-'))) return false;
    }
    return true;
}

err link_hello(int fd, uint16_t purpose, const char *host, uint16_t port, int deadline_ms)
{
    uint8_t body[4 + 2 + 4 + HOST_MAX], room[16];
    struct wr w = wr_of(body, sizeof body);
    struct msg answer;

    MUST(purpose == LINK_STORE || purpose == LINK_EGRESS || purpose == LINK_WITNESS);
    wr_u16(&w, LINK_VERSION);
    wr_u16(&w, purpose);
    if (purpose == LINK_EGRESS) {
        MUST(host != NULL);
        wr_u16(&w, port);
        wr_var(&w, host, strlen(host));
    }
    TRY(wr_end(&w, "link hello"));
    return msg_call(fd, LINK_HELLO, body, w.len, LINK_READY, &answer, room, sizeof room, deadline_ms);
}
