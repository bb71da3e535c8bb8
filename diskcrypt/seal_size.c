/* How large the image of the head's generation says it is. Nothing of it is
 * authentic yet: the caller makes an empty image of that size, and seal_restore()
 * compares it with the authenticated manifest before it writes a byte. */
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/sealer.h"

enum { MANIFEST_PEEK_MAX = 64 << 20 };

err seal_image_size(uint64_t *out, struct sealer *s)
{
    BYTES p = NULL;
    size_t n = 0;
    uint8_t digest[32];
    struct manifest_clear m;
    const struct head *h = &s->now.head;
    if (!s->now.len || !h->generation) FAIL(E_STATE, "there is no generation to restore");
    TRY(mem_new(&p, MANIFEST_PEEK_MAX));
    TRY(store_get_all(s->store, p, &n, h->manifest, MANIFEST_PEEK_MAX));
    sha256(digest, p, n);
    if (memcmp(digest, h->manifest_sha256, 32) != 0) FAIL(E_AUTH, "%s is not the manifest that the head names", h->manifest);
    TRY(manifest_clear_parse(&m, p, n));
    *out = m.image_size;
    return OK;
}
