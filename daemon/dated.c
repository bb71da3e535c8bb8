/* What the block hash is worth: found in a run of headers, or only claimed.
 *
 * The keeper does this itself, although the bytes are a stranger's: web could forge whatever verdict it
 * carried here, and the verdict is attested. What it takes is a pass over fixed records: hashes and integer
 * compares, nothing allocated, no length in the data (docs/design.md). */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "daemon/keeper.h"

err keeper_check_block(struct block_check *check, char words[static HEADERS_TEXT], const struct wire_headers *headers,
                       const uint8_t blockhash[static 32])
{
    struct headers_claim claim = { .network = (enum headers_network)headers->network, .anchored = headers->anchored, .height = headers->height };
    struct headers_found found;
    struct headers_refusal why;
    memset(check, 0, sizeof *check);
    if (!headers->given) {
        log_warn("the block hash is unverified: no headers were given");
        return OK;
    }
    memcpy(claim.hash, headers->hash, sizeof claim.hash);
    err e = headers_check(&found, &why, &claim, blockhash, headers->bytes, headers->n);
    if (e.code) {
        headers_refusal_text(words, &why);
        return e;
    }
    check->made = true;
    snprintf(check->network, sizeof check->network, "%s", headers_network_text(found.network));
    snprintf(check->anchor, sizeof check->anchor, "%s", headers_anchor_text(found.anchor));
    check->height = found.height;
    check->time = found.time;
    check->depth = found.depth;
    memcpy(check->work, found.work, sizeof check->work);
    log_info("the block hash is block %u of %s, time %u, %u blocks below the tip given, anchored by %s",
             found.height, check->network, found.time, found.depth, check->anchor);
    return OK;
}
