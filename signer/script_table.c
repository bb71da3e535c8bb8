/* The opcodes, by byte. */
#include "signer/script_vm.h"

#define ROW(op, text, fn, ...)  [op] = { .name = "OP_" text, .run = fn, __VA_ARGS__ }
#define BAD(op, text)           [op] = { .name = "OP_" text }
#define OFF(op, text)           [op] = { .name = "OP_" text, .how = OP_DISABLED }
#define NEED(x)                 .need = x
#define TAP                     .kinds = KIND_TAPSCRIPT
#define RULE(flag, disc, err)   .kinds = KIND_TAPSCRIPT, .rule = flag, .discourage = disc, .discouraged = err

const struct opcode script_opcodes[256] = {
    ROW(0x00, "0", op_push),
    [0x01 ... 0x4b] = { .name = "OP_PUSHBYTES", .run = op_push },
    ROW(0x4c, "PUSHDATA1", op_push), ROW(0x4d, "PUSHDATA2", op_push), ROW(0x4e, "PUSHDATA4", op_push),
    ROW(0x4f, "1NEGATE", op_small_number),
    BAD(0x50, "RESERVED"),
    ROW(0x51, "1", op_small_number), ROW(0x52, "2", op_small_number), ROW(0x53, "3", op_small_number),
    ROW(0x54, "4", op_small_number), ROW(0x55, "5", op_small_number), ROW(0x56, "6", op_small_number),
    ROW(0x57, "7", op_small_number), ROW(0x58, "8", op_small_number), ROW(0x59, "9", op_small_number),
    ROW(0x5a, "10", op_small_number), ROW(0x5b, "11", op_small_number), ROW(0x5c, "12", op_small_number),
    ROW(0x5d, "13", op_small_number), ROW(0x5e, "14", op_small_number), ROW(0x5f, "15", op_small_number),
    ROW(0x60, "16", op_small_number),

    ROW(0x61, "NOP", op_nop),
    BAD(0x62, "VER"),
    ROW(0x63, "IF", op_if, .how = OP_ALWAYS), ROW(0x64, "NOTIF", op_if, .how = OP_ALWAYS),
    ROW(0x65, "VERIF", op_bad, .how = OP_ALWAYS), ROW(0x66, "VERNOTIF", op_bad, .how = OP_ALWAYS),
    ROW(0x67, "ELSE", op_else, .how = OP_ALWAYS), ROW(0x68, "ENDIF", op_endif, .how = OP_ALWAYS),
    ROW(0x69, "VERIFY", op_verify, NEED(1)),
    ROW(0x6a, "RETURN", op_return),

    ROW(0x6b, "TOALTSTACK", op_toalt, NEED(1)), ROW(0x6c, "FROMALTSTACK", op_fromalt),
    ROW(0x6d, "2DROP", op_drop, NEED(2)), ROW(0x6e, "2DUP", op_dup, NEED(2)), ROW(0x6f, "3DUP", op_dup, NEED(3)),
    ROW(0x70, "2OVER", op_over, NEED(4)), ROW(0x71, "2ROT", op_rot, NEED(6)), ROW(0x72, "2SWAP", op_swap, NEED(4)),
    ROW(0x73, "IFDUP", op_ifdup, NEED(1)), ROW(0x74, "DEPTH", op_depth), ROW(0x75, "DROP", op_drop, NEED(1)),
    ROW(0x76, "DUP", op_dup, NEED(1)), ROW(0x77, "NIP", op_nip, NEED(2)), ROW(0x78, "OVER", op_over, NEED(2)),
    ROW(0x79, "PICK", op_pick, NEED(2)), ROW(0x7a, "ROLL", op_pick, NEED(2)), ROW(0x7b, "ROT", op_rot, NEED(3)),
    ROW(0x7c, "SWAP", op_swap, NEED(2)), ROW(0x7d, "TUCK", op_tuck, NEED(2)),

    ROW(0x7e, "CAT", op_cat, NEED(2), .how = OP_DISABLED,
        RULE(SCRIPT_CAT, SCRIPT_DISCOURAGE_CAT, SCRIPT_ERR_DISCOURAGE_OP_CAT)),
    OFF(0x7f, "SUBSTR"), OFF(0x80, "LEFT"), OFF(0x81, "RIGHT"),
    ROW(0x82, "SIZE", op_size, NEED(1)),
    OFF(0x83, "INVERT"), OFF(0x84, "AND"), OFF(0x85, "OR"), OFF(0x86, "XOR"),
    ROW(0x87, "EQUAL", op_equal, NEED(2)), ROW(0x88, "EQUALVERIFY", op_equal, NEED(2)),
    BAD(0x89, "RESERVED1"), BAD(0x8a, "RESERVED2"),

    ROW(0x8b, "1ADD", op_unary, NEED(1)), ROW(0x8c, "1SUB", op_unary, NEED(1)),
    OFF(0x8d, "2MUL"), OFF(0x8e, "2DIV"),
    ROW(0x8f, "NEGATE", op_unary, NEED(1)), ROW(0x90, "ABS", op_unary, NEED(1)),
    ROW(0x91, "NOT", op_unary, NEED(1)), ROW(0x92, "0NOTEQUAL", op_unary, NEED(1)),
    ROW(0x93, "ADD", op_binary, NEED(2)), ROW(0x94, "SUB", op_binary, NEED(2)),
    OFF(0x95, "MUL"), OFF(0x96, "DIV"), OFF(0x97, "MOD"), OFF(0x98, "LSHIFT"), OFF(0x99, "RSHIFT"),
    ROW(0x9a, "BOOLAND", op_binary, NEED(2)), ROW(0x9b, "BOOLOR", op_binary, NEED(2)),
    ROW(0x9c, "NUMEQUAL", op_binary, NEED(2)), ROW(0x9d, "NUMEQUALVERIFY", op_binary, NEED(2)),
    ROW(0x9e, "NUMNOTEQUAL", op_binary, NEED(2)), ROW(0x9f, "LESSTHAN", op_binary, NEED(2)),
    ROW(0xa0, "GREATERTHAN", op_binary, NEED(2)), ROW(0xa1, "LESSTHANOREQUAL", op_binary, NEED(2)),
    ROW(0xa2, "GREATERTHANOREQUAL", op_binary, NEED(2)), ROW(0xa3, "MIN", op_binary, NEED(2)),
    ROW(0xa4, "MAX", op_binary, NEED(2)), ROW(0xa5, "WITHIN", op_within, NEED(3)),

    ROW(0xa6, "RIPEMD160", op_hash, NEED(1)), ROW(0xa7, "SHA1", op_hash, NEED(1)),
    ROW(0xa8, "SHA256", op_hash, NEED(1)), ROW(0xa9, "HASH160", op_hash, NEED(1)), ROW(0xaa, "HASH256", op_hash, NEED(1)),
    ROW(0xab, "CODESEPARATOR", op_codeseparator),
    ROW(0xac, "CHECKSIG", op_checksig, NEED(2)), ROW(0xad, "CHECKSIGVERIFY", op_checksig, NEED(2)),
    ROW(0xae, "CHECKMULTISIG", op_checkmultisig), ROW(0xaf, "CHECKMULTISIGVERIFY", op_checkmultisig),

    ROW(0xb0, "NOP1", op_nop_upgradable),
    ROW(0xb1, "CHECKLOCKTIMEVERIFY", op_cltv), ROW(0xb2, "CHECKSEQUENCEVERIFY", op_csv),
    ROW(0xb3, "CHECKTEMPLATEVERIFY", op_ctv),
    ROW(0xb4, "NOP5", op_nop_upgradable), ROW(0xb5, "NOP6", op_nop_upgradable), ROW(0xb6, "NOP7", op_nop_upgradable),
    ROW(0xb7, "NOP8", op_nop_upgradable), ROW(0xb8, "NOP9", op_nop_upgradable), ROW(0xb9, "NOP10", op_nop_upgradable),
    ROW(0xba, "CHECKSIGADD", op_checksigadd, NEED(3), TAP),

    ROW(0xcb, "INTERNALKEY", op_internalkey,
        RULE(SCRIPT_INTERNALKEY, SCRIPT_DISCOURAGE_INTERNALKEY, SCRIPT_ERR_DISCOURAGE_INTERNALKEY)),
    ROW(0xcc, "CHECKSIGFROMSTACK", op_csfs, NEED(3),
        RULE(SCRIPT_CSFS, SCRIPT_DISCOURAGE_CSFS, SCRIPT_ERR_DISCOURAGE_CHECKSIGFROMSTACK)),
    ROW(0xcd, "PAIRCOMMIT", op_paircommit, NEED(2),
        RULE(SCRIPT_PAIRCOMMIT, SCRIPT_DISCOURAGE_PAIRCOMMIT, SCRIPT_ERR_DISCOURAGE_PAIRCOMMIT)),
    ROW(0xce, "TEMPLATEHASH", op_templatehash,
        RULE(SCRIPT_TEMPLATEHASH, SCRIPT_DISCOURAGE_TEMPLATEHASH, SCRIPT_ERR_DISCOURAGE_TEMPLATEHASH)),
};
