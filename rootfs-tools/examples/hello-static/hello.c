/* Prints its arguments; without arguments, what it reads from stdin. The smallest useful `command` function. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char buffer[65536];
    ssize_t count;
    for (int i = 1; i < argc; i++) printf("%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
    if (argc > 1) return fflush(stdout) ? 1 : 0;
    while ((count = read(0, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, part; done < count; done += part)
            if ((part = write(1, buffer + done, (size_t)(count - done))) < 0) return 1;
    return count < 0 ? 1 : 0;
}
