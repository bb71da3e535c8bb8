/* luks_drive format|check|open DEVICE FIRST_KEY_BYTE EPOCH [NAME]: what the role volume does, for the
 * tests in the emulated machine. Ends with the error's code. */
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "diskcrypt/luks.h"

static err act(int argc, char **argv)
{
    SECRET key = NULL;
    struct luks_owner owner = { .epoch = (uint32_t)atoi(argv[4]) };
    memset(owner.service_id, 0xab, sizeof owner.service_id);
    TRY(secret_arena_open(8192));
    TRY(secret_new(&key, LUKS_KEY));
    for (int i = 0; i < LUKS_KEY; i++) secret_reveal(key)[i] = (uint8_t)(atoi(argv[3]) + i);
    if (strcmp(argv[1], "format") == 0) return luks_format(argv[2], key, &owner);
    if (strcmp(argv[1], "check") == 0) return luks_check(argv[2], key, &owner);
    if (strcmp(argv[1], "open") == 0 && argc > 5) return luks_open(argv[2], argv[5], key, &owner);
    FAIL(E_FORMAT, "no such act");
}

int main(int argc, char **argv)
{
    log_open("luks_drive", LOG_INFO);
    if (argc < 5) return 64;
    return (int)act(argc, argv).code;
}
