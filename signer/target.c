/* target.c - 256 bits in eight limbs, no more than headers need. */
#include "signer/target.h"

#include <string.h>

enum { LIMBS = 8, PERIOD_SECONDS = 14 * 24 * 60 * 60 };

bool target_from_bits(struct target *out, uint32_t bits)
{
    const uint32_t size = bits >> 24, mantissa = bits & 0x007fffff;
    memset(out, 0, sizeof *out);
    if (bits & 0x00800000) return false;       /* also "minus zero", which would be a zero target */
    for (uint32_t i = 0; i < 3; i++) {         /* byte i of the mantissa stands at byte size - 3 + i of the number */
        const uint32_t byte = mantissa >> (8 * i) & 0xff, at = size + i;
        if (!byte || at < 3) continue;         /* below the point: cut off */
        if (at - 3 >= 4 * LIMBS) return false;
        out->w[(at - 3) / 4] |= byte << (8 * ((at - 3) % 4));
    }
    return target_compare(out, &(struct target){ 0 }) > 0;
}

static uint32_t byte_of(const struct target *t, unsigned i)
{
    return i < 4 * LIMBS ? t->w[i / 4] >> (8 * (i % 4)) & 0xff : 0;
}

uint32_t target_to_bits(const struct target *t)
{
    uint32_t size = 4 * LIMBS, mantissa = 0;
    while (size > 0 && !byte_of(t, size - 1)) size--;
    for (unsigned i = 0; i < 3; i++)           /* the three highest bytes; zeros below the point */
        mantissa = mantissa << 8 | (size > i ? byte_of(t, size - 1 - i) : 0);
    if (mantissa & 0x00800000) {               /* that bit is the sign */
        mantissa >>= 8;
        size++;
    }
    return mantissa | size << 24;
}

int target_compare(const struct target *a, const struct target *b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

bool target_met(const struct target *t, const uint8_t hash[static 32])
{
    struct target h;
    for (int i = 0; i < LIMBS; i++)
        h.w[i] = (uint32_t)hash[4 * i] | (uint32_t)hash[4 * i + 1] << 8 |
                 (uint32_t)hash[4 * i + 2] << 16 | (uint32_t)hash[4 * i + 3] << 24;
    return target_compare(&h, t) <= 0;
}

void target_retarget(struct target *t, int64_t seconds, const struct target *limit)
{
    uint32_t wide[LIMBS + 1];                  /* the product has up to 23 bits more than the target */
    uint64_t carry = 0;
    if (seconds < PERIOD_SECONDS / 4) seconds = PERIOD_SECONDS / 4;
    if (seconds > PERIOD_SECONDS * 4) seconds = PERIOD_SECONDS * 4;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)t->w[i] * (uint64_t)seconds;
        wide[i] = (uint32_t)carry;
        carry >>= 32;
    }
    wide[LIMBS] = (uint32_t)carry;
    carry = 0;
    for (int i = LIMBS; i >= 0; i--) {
        carry = carry << 32 | wide[i];
        wide[i] = (uint32_t)(carry / PERIOD_SECONDS);
        carry %= PERIOD_SECONDS;
    }
    memcpy(t->w, wide, sizeof t->w);
    if (wide[LIMBS] || target_compare(t, limit) > 0) *t = *limit;
}

/* a -= b, for b <= a. */
static void subtract(struct target *a, const struct target *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < LIMBS; i++) {
        const uint64_t d = (uint64_t)a->w[i] - b->w[i] - borrow;
        a->w[i] = (uint32_t)d;
        borrow = d >> 63;
    }
}

/* By long division, bit by bit: 2^256 / (t + 1) is (2^256 - 1 - t) / (t + 1) + 1. */
void target_work(struct target *work, const struct target *t)
{
    static const struct target one = { { 1 } };
    struct target divisor = *t, rest = { 0 };
    target_add(&divisor, &one);
    memset(work, 0, sizeof *work);
    for (int i = 32 * LIMBS - 1; i >= 0; i--) {
        for (int k = LIMBS - 1; k > 0; k--) rest.w[k] = rest.w[k] << 1 | rest.w[k - 1] >> 31;
        rest.w[0] = rest.w[0] << 1 | (~t->w[i / 32] >> (i % 32) & 1);
        if (target_compare(&rest, &divisor) < 0) continue;
        subtract(&rest, &divisor);
        work->w[i / 32] |= 1u << (i % 32);
    }
    target_add(work, &one);
}

void target_add(struct target *sum, const struct target *w)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)sum->w[i] + w->w[i];
        sum->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) memset(sum->w, 0xff, sizeof sum->w);
}

void target_bytes(uint8_t out[static 32], const struct target *t)
{
    for (unsigned i = 0; i < 32; i++) out[31 - i] = (uint8_t)byte_of(t, i);
}
