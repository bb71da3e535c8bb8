/* main.c - `holdfast`: the table of commands. */
#include "core/log.h"
#include "parent/command.h"

int main(int argc, char **argv)
{
    const struct command commands[] = {
        run_command, status_command, setup_command, public_key_command, settings_command, sign_command,
        requests_command, log_command, seal_command, backups_command, backup_command, restore_command, disk_command, address_command,
        verify_command, pcr_command, eif_command, key_command, witness_command,
        policy_command, release_command, veto_command, permit_command, genesis_command, upgrade_command,
    };
    log_open("holdfast", LOG_WARN);
    return (int)command_main(argc, argv, commands, sizeof commands / sizeof *commands);
}
