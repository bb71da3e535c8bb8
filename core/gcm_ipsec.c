/* gcm_ipsec.c - see gcm_ipsec.h. The library is for x86-64; elsewhere it is never ready. */
#include "core/gcm_ipsec.h"

#include "core/err.h"

#ifdef HOLDFAST_IPSEC_MB
#include <intel-ipsec-mb.h>

#include "core/mem.h"

struct room {
    struct gcm_key_data key;
    struct gcm_context_data message;
};
_Static_assert(sizeof(struct room) <= GCM_IPSEC_ROOM && _Alignof(struct room) <= GCM_IPSEC_ALIGN, "the room must do");

/* What of the library is used: three functions that take all they work on from their caller. Set once, before the sandbox;
 * the manager they come from is given back at once, it is for queues of jobs. */
static struct {
    aes_gcm_pre_t key;
    aes_gcm_enc_dec_t seal, open;
} library;

static void manager_free(IMB_MGR **m)
{
    if (*m)
        free_mb_mgr(*m);
}

void gcm_ipsec_start(void)
{
    /* Processors without these get the library's older code, which libcrypto is as good as. */
    static const uint64_t wanted = IMB_CPUFLAGS_AVX512 | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    /* As Debian builds it: it wipes its registers and stack, and checks its arguments. */
    static const uint64_t safe = IMB_FEATURE_SAFE_DATA | IMB_FEATURE_SAFE_PARAM | IMB_FEATURE_SELF_TEST_PASS;
    __attribute__((cleanup(manager_free))) IMB_MGR *m = alloc_mb_mgr(0);
    if (!m || (m->features & wanted) != wanted)
        return;
    init_mb_mgr_avx512(m);
    if (imb_get_errno(m) != 0 || (m->features & safe) != safe)
        return;
    library.key = m->gcm256_pre;
    library.seal = m->gcm256_enc;
    library.open = m->gcm256_dec;
}

bool gcm_ipsec_ready(void)
{
    return library.key != NULL;
}

void gcm_ipsec_key(void *room, const uint8_t key[static 32])
{
    struct room *r = room;
    MUST((uintptr_t)room % _Alignof(struct room) == 0);
    library.key(key, &r->key);
    MUST(imb_get_errno(NULL) == 0);
}

/* The library says by its errno only that it did nothing at all. */
static void run(struct room *r, aes_gcm_enc_dec_t act, uint8_t *out, uint8_t *tag, const uint8_t *nonce,
                const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    act(&r->key, &r->message, out, in, n, nonce, aad, aad_len, tag, 16);
    MUST(imb_get_errno(NULL) == 0);
    /* It holds the last block's key stream. */
    mem_wipe(&r->message, sizeof r->message);
}

void gcm_ipsec_seal(void *room, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    run(room, library.seal, out, tag, nonce, aad, aad_len, in, n);
}

void gcm_ipsec_open(void *room, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    run(room, library.open, out, tag, nonce, aad, aad_len, in, n);
}

#else

void gcm_ipsec_start(void)
{
}

bool gcm_ipsec_ready(void)
{
    return false;
}

void gcm_ipsec_key(void *room, const uint8_t key[static 32])
{
    (void)room, (void)key;
    MUST(gcm_ipsec_ready());
}

void gcm_ipsec_seal(void *room, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    (void)room, (void)out, (void)tag, (void)nonce, (void)aad, (void)aad_len, (void)in, (void)n;
    MUST(gcm_ipsec_ready());
}

void gcm_ipsec_open(void *room, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    (void)room, (void)out, (void)tag, (void)nonce, (void)aad, (void)aad_len, (void)in, (void)n;
    MUST(gcm_ipsec_ready());
}
#endif
