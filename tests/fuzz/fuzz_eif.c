/* fuzz_eif.c - enclave images and their signature sections, from anybody. The sections of an
 * image that is accepted fill it exactly, and measuring them one by one gives what measuring the image gives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "keystore/eif.h"
#include "keystore/pem.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

struct memory { struct blk blk; const uint8_t *p; size_t n; };

static err read_memory(struct blk *b, void *p, size_t n, uint64_t at)
{
    const struct memory *m = (const struct memory *)b;
    MUST(at <= m->n && n <= m->n - at);
    if (n) memcpy(p, m->p + at, n);
    return OK;
}

static uint64_t size_of_memory(struct blk *b) { return ((const struct memory *)b)->n; }

static void image(const uint8_t *p, size_t n)
{
    struct memory m = { { .read_at = read_memory, .size = size_of_memory }, p, n };
    struct eif e;
    struct eif_pcrs whole, parts;
    uint64_t at = EIF_HEADER;
    if (eif_read(&e, &m.blk).code) return;
    fuzz_reached("eif");
    EIF_METER meter = NULL;
    MUST(!eif_meter_new(&meter).code);
    for (size_t i = 0; i < e.count; i++) {
        const struct eif_section *s = &e.section[i];
        MUST(s->offset == at && strcmp(eif_type_text(s->type), "invalid") != 0);
        eif_meter_part(meter, s->type);
        eif_meter_add(meter, p + at + EIF_SECTION_HEADER, (size_t)s->size);
        at += EIF_SECTION_HEADER + s->size;
    }
    MUST(at == n);
    eif_meter_end(&meter, &parts);
    if (eif_measure(&whole, &e, &m.blk).code) return;
    MUST(memcmp(whole.pcr0, parts.pcr0, EIF_PCR) == 0 && memcmp(whole.pcr1, parts.pcr1, EIF_PCR) == 0);
    MUST(memcmp(whole.pcr2, parts.pcr2, EIF_PCR) == 0);
    if (whole.has_pcr8) fuzz_reached("eif.signed");
}

static void signature(const uint8_t *p, size_t n)
{
    static struct eif_signature s;
    uint8_t der[64];
    size_t len = 0;
    if (!eif_signature_parse(&s, p, n).code) {
        MUST(s.certificate_len > 0 && s.certificate_len <= sizeof s.certificate);
        if (s.names_pcr0) fuzz_reached("eif.claim");
    }
    if (!pem_certificate(der, sizeof der, &len, p, n).code) MUST(len > 0 && len <= sizeof der);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n && p[0] == '.') image(p, n);
    else signature(p, n);
    return 0;
}
