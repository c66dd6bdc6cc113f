// SPDX-License-Identifier: MIT
/*
 * lspci: PCI functions, with the names of /usr/share/misc/pci.ids.gz where it is there.
 * -n numbers only, -nn both, -v BARs and interrupts too.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/scheme/pci"
#define IDS "/usr/share/misc/pci.ids.gz"
#define FUNCTIONS_MAX 256

static struct function {
    char name[16], rest[768]; /* rest: lines about BARs */
    unsigned class_code, vendor, device, revision, messages;
    char interrupt[8];
    char class_name[80], vendor_name[80], device_name[120];
} functions[FUNCTIONS_MAX];
static unsigned count;

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static bool function_read(const char *name, struct function *f) {
    char path[64], text[1024];
    snprintf(path, sizeof(path), FOLDER "/%.16s", name);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = 0;
    char *rest = strchr(text, '\n');
    snprintf(f->rest, sizeof(f->rest), "%s", rest ? rest + 1 : "");
    return sscanf(text, "%15s class %x id %x:%x subsystem %*x:%*x revision %x interrupt %7s %u", f->name,
                  &f->class_code, &f->vendor, &f->device, &f->revision, f->interrupt, &f->messages) == 7;
}

static void name_copy(char *out, size_t room, const char *line) {
    while (*line == ' ' || *line == '\t') line++;
    snprintf(out, room, "%.*s", (int)strcspn(line, "\n"), line);
}

/* Vendors at the start of a line, their devices after a tab; classes after "C ", subclasses after a tab. */
static void names_read(void) {
    char line[512];
    unsigned vendor = UINT32_MAX, class_code = UINT32_MAX, id;
    FILE *file = access(IDS, R_OK) == 0 ? popen("gunzip -c " IDS, "r") : nullptr;
    while (file && fgets(line, sizeof(line), file)) {
        bool deeper = line[0] == '\t';
        if (line[0] == '#' || line[0] == '\n' || strncmp(line, "\t\t", 2) == 0) continue;
        if (!deeper && sscanf(line, "C %x", &id) == 1) {
            class_code = id;
            vendor = UINT32_MAX;
        } else if (!deeper) {
            class_code = UINT32_MAX;
            vendor = sscanf(line, "%4x ", &id) == 1 ? id : UINT32_MAX;
        } else if (sscanf(line, "\t%x", &id) != 1) {
            continue;
        }
        for (unsigned i = 0; i < count; i++) {
            struct function *f = &functions[i];
            if (!deeper && vendor == f->vendor) name_copy(f->vendor_name, sizeof(f->vendor_name), line + 4);
            if (deeper && vendor == f->vendor && id == f->device)
                name_copy(f->device_name, sizeof(f->device_name), line + 5);
            if (deeper && class_code == f->class_code >> 16 && id == (f->class_code >> 8 & 0xff))
                name_copy(f->class_name, sizeof(f->class_name), line + 3);
        }
    }
    if (file) pclose(file);
}

static void function_print(const struct function *f, int numbers, bool verbose) {
    bool named = numbers != 1 && f->vendor_name[0];
    printf("%s ", f->name);
    if (named) printf("%s", f->class_name[0] ? f->class_name : "Class");
    if (!named || numbers == 2) printf(named ? " [%04x]" : "%04x", f->class_code >> 8);
    printf(": ");
    if (named) printf("%s %s", f->vendor_name, f->device_name[0] ? f->device_name : "Device");
    if (!named || numbers == 2) printf(named ? " [%04x:%04x]" : "%04x:%04x", f->vendor, f->device);
    if (f->revision) printf(" (rev %02x)", f->revision);
    printf("\n");
    if (!verbose) return;
    if (f->messages) printf("\tinterrupt %s %u\n", f->interrupt, f->messages);
    for (const char *line = f->rest; *line; line += strcspn(line, "\n") + 1)
        printf("\t%.*s\n", (int)strcspn(line, "\n"), line);
    printf("\n");
}

int main(int argc, char **argv) {
    int numbers = 0;
    bool verbose = false;
    for (int option; (option = getopt(argc, argv, "nv")) != -1;) {
        if (option == 'n') numbers++;
        else if (option == 'v') verbose = true;
        else return 2;
    }
    DIR *folder = opendir(FOLDER);
    if (!folder) {
        perror("lspci: " FOLDER);
        return 1;
    }
    for (struct dirent *e; count < FUNCTIONS_MAX && (e = readdir(folder));)
        if (e->d_name[0] != '.' && function_read(e->d_name, &functions[count])) count++;
    qsort(functions, count, sizeof(functions[0]), compare);
    if (numbers != 1) names_read();
    for (unsigned i = 0; i < count; i++) function_print(&functions[i], numbers, verbose);
    return 0;
}
