#include "harness/program/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void remember(int signal_number)
{
    came = 1;
    signal(signal_number, SIG_DFL);
}

void interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = remember};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_came(void *unused)
{
    (void)unused;
    return came;
}
