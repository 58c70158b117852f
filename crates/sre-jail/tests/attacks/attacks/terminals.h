/* Terminals. */
static void type_into_the_terminal(void) {
    char letter = 'x';
    for (int fd = 0; fd < 3; fd++) if (ioctl(fd, 0x5412, &letter) == 0) escaped("TIOCSTI");
    must_not_open("/dev/tty", O_RDWR); must_not_open("/dev/console", O_RDWR); must_not_open("/dev/pts/0", O_RDWR); must_not_open("/dev/ptmx", O_RDWR);
    refused();
}
