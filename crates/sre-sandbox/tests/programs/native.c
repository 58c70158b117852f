/* The programs of the conformance suite for the native backend; which one is decided when this is compiled. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static void hex(const char *bytes, long length) { for (long i = 0; i < length; i++) printf("%02x", (unsigned char)bytes[i]); }
static void names(const char *folder) {
    DIR *open = opendir(folder);
    struct dirent *entry;
    const char *comma = "";
    putchar('[');
    while ((entry = readdir(open))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        printf("%s\"%s\"", comma, entry->d_name);
        comma = ",";
    }
    putchar(']');
    closedir(open);
}
static void content(const char *path) {
    char bytes[4096];
    int file = open(path, O_RDONLY);
    long length = read(file, bytes, sizeof bytes);
    putchar('"'); hex(bytes, length); putchar('"');
}
__attribute__((noinline)) static int deeper(volatile int n) { volatile char frame[4096]; frame[0] = n; return deeper(n + 1) + frame[0]; }

int main(int count, char **arguments) {
    (void)count; (void)arguments; (void)names; (void)content; (void)deeper;
#if defined PROGRAM_Echo
    static char bytes[1 << 20];
    long length;
    while ((length = read(0, bytes, sizeof bytes)) > 0) fwrite(bytes, 1, length, stdout);
#elif defined PROGRAM_Environment
    putchar('"'); for (char **e = environ; *e; e++) hex(*e, strlen(*e) + 1); putchar('"');
#elif defined PROGRAM_Arguments
    putchar('"'); for (int i = 0; i < count; i++) hex(arguments[i], strlen(arguments[i]) + 1); putchar('"');
#elif defined PROGRAM_ListPackage
    names(".");
#elif defined PROGRAM_ReadPackage
    content("data/note.txt");
#elif defined PROGRAM_WritePackage
    int refused = 0;
    refused += open("data/note.txt", O_WRONLY) < 0;
    refused += open("new", O_WRONLY | O_CREAT, 0600) < 0;
    refused += unlink("data/note.txt") < 0;
    refused += mkdir("folder", 0700) < 0;
    printf("%d", refused);
#elif defined PROGRAM_Tmp
    putchar('['); names("/tmp"); putchar(',');
    int file = open("/tmp/note", O_RDWR | O_CREAT, 0600);
    if (write(file, "kept", 4) != 4) return 1;
    names("/tmp"); putchar(','); content("/tmp/note"); putchar(']');
#elif defined PROGRAM_Remember
    long found = 0;
    char *fresh = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < 1 << 20; i++) found += fresh[i] != 0;
    memset(fresh, 7, 1 << 20);
    printf("%ld", found);
#elif defined PROGRAM_Exit3
    printf("1"); return 3;
#elif defined PROGRAM_Trap
    *(volatile int *)8 = 1;
#elif defined PROGRAM_Flood
    static char zeroes[1 << 20];
    for (int i = 0; i < 1024; i++) fwrite(zeroes, 1, sizeof zeroes, stdout);
#elif defined PROGRAM_FloodLog
    static char letters[1 << 20];
    memset(letters, 'a', sizeof letters);
    for (int i = 0; i < 64; i++) for (long at = 0; at < 1 << 20;) at += write(2, letters + at, sizeof letters - at);
    printf("1");
#elif defined PROGRAM_Loop
    for (volatile long i = 0;; i++) { }
#elif defined PROGRAM_Sleep
    for (;;) sleep(1000);
#elif defined PROGRAM_Spin
    struct timespec now;
    for (;;) clock_gettime(CLOCK_MONOTONIC, &now);
#elif defined PROGRAM_Allocate
    for (;;) { char *piece = malloc(1 << 20); if (!piece) return 1; memset(piece, 1, 1 << 20); }
#elif defined PROGRAM_Recurse
    return deeper(0);
#elif defined PRINT
    static const unsigned char bytes[] = {PRINT};
    fwrite(bytes, 1, sizeof bytes - 1, stdout);
#else
#error no program
#endif
    return 0;
}
