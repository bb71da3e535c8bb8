/* Words for flags, errors and opcodes, as Core's test files have them. */
#include <string.h>

#include "signer/script_vm.h"

static const struct { uint64_t flags; const char *name; } flag_names[] = {
    { SCRIPT_P2SH, "P2SH" },
    { SCRIPT_STRICTENC, "STRICTENC" },
    { SCRIPT_DERSIG, "DERSIG" },
    { SCRIPT_LOW_S, "LOW_S" },
    { SCRIPT_NULLDUMMY, "NULLDUMMY" },
    { SCRIPT_SIGPUSHONLY, "SIGPUSHONLY" },
    { SCRIPT_MINIMALDATA, "MINIMALDATA" },
    { SCRIPT_DISCOURAGE_NOPS, "DISCOURAGE_UPGRADABLE_NOPS" },
    { SCRIPT_CLEANSTACK, "CLEANSTACK" },
    { SCRIPT_CHECKLOCKTIMEVERIFY, "CHECKLOCKTIMEVERIFY" },
    { SCRIPT_CHECKSEQUENCEVERIFY, "CHECKSEQUENCEVERIFY" },
    { SCRIPT_WITNESS, "WITNESS" },
    { SCRIPT_DISCOURAGE_WITNESS, "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM" },
    { SCRIPT_MINIMALIF, "MINIMALIF" },
    { SCRIPT_NULLFAIL, "NULLFAIL" },
    { SCRIPT_WITNESS_PUBKEYTYPE, "WITNESS_PUBKEYTYPE" },
    { SCRIPT_CONST_SCRIPTCODE, "CONST_SCRIPTCODE" },
    { SCRIPT_TAPROOT, "TAPROOT" },
    { SCRIPT_DISCOURAGE_LEAF_VERSION, "DISCOURAGE_UPGRADABLE_TAPROOT_VERSION" },
    { SCRIPT_DISCOURAGE_OP_SUCCESS, "DISCOURAGE_OP_SUCCESS" },
    { SCRIPT_DISCOURAGE_PUBKEYTYPE, "DISCOURAGE_UPGRADABLE_PUBKEYTYPE" },
    { SCRIPT_CTV, "DEFAULT_CHECK_TEMPLATE_VERIFY_HASH" },
    { SCRIPT_CAT, "OP_CAT" },
    { SCRIPT_CSFS, "CHECKSIGFROMSTACK" },
    { SCRIPT_INTERNALKEY, "INTERNALKEY" },
    { SCRIPT_TEMPLATEHASH, "TEMPLATEHASH" },
    { SCRIPT_APO, "ANYPREVOUT" },
    { SCRIPT_PAIRCOMMIT, "PAIRCOMMIT" },
    { SCRIPT_DISCOURAGE_CTV, "DISCOURAGE_CHECK_TEMPLATE_VERIFY_HASH" },
    { SCRIPT_DISCOURAGE_CTV_SIZE, "DISCOURAGE_UPGRADABLE_CHECK_TEMPLATE_VERIFY_HASH" },
    { SCRIPT_DISCOURAGE_CAT, "DISCOURAGE_OP_CAT" },
    { SCRIPT_DISCOURAGE_CSFS, "DISCOURAGE_CHECKSIGFROMSTACK" },
    { SCRIPT_DISCOURAGE_INTERNALKEY, "DISCOURAGE_INTERNALKEY" },
    { SCRIPT_DISCOURAGE_TEMPLATEHASH, "DISCOURAGE_TEMPLATEHASH" },
    { SCRIPT_DISCOURAGE_APO, "DISCOURAGE_ANYPREVOUT" },
    { SCRIPT_DISCOURAGE_PAIRCOMMIT, "DISCOURAGE_PAIRCOMMIT" },
    { SCRIPT_UNBOUND_INTERNAL, "UNBOUND_INTERNAL" },
    /* other people's words for the same, after ours */
    { SCRIPT_CTV, "CHECK_TEMPLATE_VERIFY" },
    { SCRIPT_CAT, "CAT" },
    { SCRIPT_CTV | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_PAIRCOMMIT, "LNHANCE" },
    { SCRIPT_DISCOURAGE_CTV | SCRIPT_DISCOURAGE_CSFS | SCRIPT_DISCOURAGE_INTERNALKEY | SCRIPT_DISCOURAGE_PAIRCOMMIT,
      "DISCOURAGE_LNHANCE" },
    { 0, "NONE" },
};

bool script_flag_named(uint64_t *flags, const char *name, size_t n)
{
    *flags = 0;
    for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++)
        if (strlen(flag_names[i].name) == n && memcmp(flag_names[i].name, name, n) == 0) {
            *flags = flag_names[i].flags;
            return true;
        }
    return false;
}

const char *script_flag_name(uint64_t flags)
{
    uint64_t lowest = flags & (0 - flags);
    for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++)
        if (lowest && flag_names[i].flags == lowest)
            return flag_names[i].name;
    return NULL;
}

uint64_t script_flags_fill(uint64_t flags)
{
    if (flags & (SCRIPT_CLEANSTACK | SCRIPT_TAPROOT))
        flags |= SCRIPT_WITNESS;
    if (flags & SCRIPT_WITNESS)
        flags |= SCRIPT_P2SH;
    return flags;
}

uint64_t script_flags_trim(uint64_t flags)
{
    if (!(flags & SCRIPT_P2SH))
        flags &= ~SCRIPT_WITNESS;
    if (!(flags & SCRIPT_WITNESS))
        flags &= ~(SCRIPT_CLEANSTACK | SCRIPT_TAPROOT);
    return flags;
}

const char *script_error_name(enum script_error e)
{
#define SCRIPT_ERROR_NAME(name) #name,
    static const char *const names[] = { SCRIPT_ERRORS(SCRIPT_ERROR_NAME) };
    return (size_t)e < sizeof names / sizeof *names ? names[e] : "UNKNOWN_ERROR";
}

const char *script_opcode_name(uint8_t opcode)
{
    const char *name = script_opcodes[opcode].name;
    return name ? name : script_is_op_success(opcode, 0) ? "OP_SUCCESS" : "OP_UNKNOWN";
}
