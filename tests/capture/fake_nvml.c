/* A stand-in for libnvidia-ml.so.1: answers what the file in FAKE_NVML scripts.

   A line is `key value value ...`; the nth call takes the nth value, later ones the last.
   `!15` is NVML's error 15. A key that is not there is error 3, not supported; so is a device's key
   without a line. Keys: init, count, driver, and per device N: N.name, N.uuid, N.bus, N.mig, N.parts,
   N.utilisation, N.memory, N.power... Device N + 10 * (P + 1) is MIG part P of device N. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK 0
#define INVALID 2
#define NOT_SUPPORTED 3
#define TOO_SMALL 7
#define MOST 200
#define WORDS 40

typedef struct { char key[48]; char word[WORDS][96]; int count, next; } Line;
typedef struct { unsigned sm, memory; } Utilisation;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct {
    char old_bus[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32];
} Pci;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute; } Process;
typedef struct {
    unsigned pid; unsigned long long stamp; unsigned sm, memory, encoder, decoder;
} Share;
typedef union { double d; unsigned u; unsigned long long ull; } Value;
typedef struct {
    unsigned field, scope; long long stamp, latency; int type, status; Value value;
} Field;

static Line lines[MOST];
static int known, loaded;
static int handles[64];

static void load(void) {
    char text[4096];
    FILE *file = fopen(getenv("FAKE_NVML") ? getenv("FAKE_NVML") : "", "r");
    loaded = 1;
    while (file && known < MOST && fgets(text, sizeof text, file)) {
        Line *line = &lines[known];
        char *word = strtok(text, " \n");
        if (!word || word[0] == '#') continue;
        snprintf(line->key, sizeof line->key, "%s", word);
        while ((word = strtok(NULL, " \n")) && line->count < WORDS)
            snprintf(line->word[line->count++], sizeof line->word[0], "%s", word);
        known++;
    }
    if (file) fclose(file);
}

/* The scripted answer to one call, or NULL with the error in *status. */
static const char *answer(const char *key, int *status) {
    int i;
    if (!loaded) load();
    *status = NOT_SUPPORTED;
    for (i = 0; i < known; i++)
        if (!strcmp(lines[i].key, key) && lines[i].count) {
            Line *line = &lines[i];
            const char *word = line->word[line->next];
            if (line->next + 1 < line->count) line->next++;
            *status = word[0] == '!' ? atoi(word + 1) : OK;
            return word[0] == '!' ? NULL : word;
        }
    return NULL;
}

static const char *of(void *handle, const char *what, int *status) {
    char key[64];
    snprintf(key, sizeof key, "%d.%s", *(int *)handle, what);
    return answer(key, status);
}

static int number(void *handle, const char *what, unsigned *out) {
    int status;
    const char *word = of(handle, what, &status);
    if (word) *out = (unsigned)strtoul(word, NULL, 10);
    return status;
}

static int large(void *handle, const char *what, unsigned long long *out) {
    int status;
    const char *word = of(handle, what, &status);
    if (word) *out = strtoull(word, NULL, 0);
    return status;
}

static int text(void *handle, const char *what, char *out, unsigned size) {
    int status;
    const char *word = of(handle, what, &status);
    if (word) snprintf(out, size, "%s", word);
    return status;
}

int nvmlInitWithFlags(unsigned flags) {
    int status;
    (void)flags;
    answer("init", &status);
    return status == NOT_SUPPORTED ? OK : status;
}

int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int code) {
    static char said[40];
    snprintf(said, sizeof said, "scripted error %d", code);
    return said;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    int status;
    const char *word = answer("driver", &status);
    snprintf(out, size, "%s", word ? word : "fake");
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned *out) {
    int status;
    const char *word = answer("count", &status);
    *out = word ? (unsigned)atoi(word) : 0;
    return word || status == NOT_SUPPORTED ? OK : status;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
    if (index >= 10) return INVALID;
    handles[index] = (int)index;
    *out = &handles[index];
    return OK;
}

int nvmlDeviceGetName(void *h, char *out, unsigned size) { return text(h, "name", out, size); }
int nvmlDeviceGetUUID(void *h, char *out, unsigned size) { return text(h, "uuid", out, size); }

int nvmlDeviceGetPciInfo_v3(void *handle, Pci *out) {
    memset(out, 0, sizeof *out);
    return text(handle, "bus", out->bus_id, sizeof out->bus_id);
}

int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *later) {
    int status = number(handle, "mig", now);
    *later = *now;
    return status;
}

int nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *out) { return number(h, "parts", out); }
int nvmlDeviceGetGpuInstanceId(void *h, unsigned *out) { return number(h, "gi", out); }
int nvmlDeviceGetComputeInstanceId(void *h, unsigned *out) { return number(h, "ci", out); }

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **out) {
    int id = *(int *)handle + 10 * ((int)index + 1), status;
    char key[64];
    snprintf(key, sizeof key, "%d.uuid", id);
    if (id >= 64 || (!answer(key, &status) && status == NOT_SUPPORTED)) return 6;
    handles[id] = id;
    *out = &handles[id];
    return OK;
}

int nvmlDeviceGetUtilizationRates(void *handle, Utilisation *out) {
    int status = number(handle, "utilisation", &out->sm);
    if (status == OK) number(handle, "memory_utilisation", &out->memory);
    return status;
}

int nvmlDeviceGetMemoryInfo(void *handle, Memory *out) {
    int status = large(handle, "memory", &out->used);
    if (status == OK) large(handle, "memory_total", &out->total);
    return status;
}

int nvmlDeviceGetClockInfo(void *handle, int kind, unsigned *out) {
    return number(handle, kind == 1 ? "sm_clock" : "memory_clock", out);
}

int nvmlDeviceGetMaxClockInfo(void *h, int k, unsigned *o) { (void)k; return number(h, "most", o); }
int nvmlDeviceGetPowerUsage(void *h, unsigned *out) { return number(h, "power", out); }
int nvmlDeviceGetEnforcedPowerLimit(void *h, unsigned *out) { return number(h, "limit", out); }
int nvmlDeviceGetTemperature(void *h, int s, unsigned *o) { (void)s; return number(h, "heat", o); }

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *out) {
    return large(handle, "energy", out);
}

#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *out) {
    return large(handle, "throttle", out);
}
#endif

int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *out) {
    return large(handle, "throttle", out);
}

int nvmlDeviceGetPcieThroughput(void *handle, int kind, unsigned *out) {
    return number(handle, kind == 0 ? "pcie_tx" : "pcie_rx", out);
}

int nvmlDeviceGetFieldValues(void *handle, int count, Field *fields) {
    int i;
    for (i = 0; i < count; i++) {
        char what[24];
        snprintf(what, sizeof what, "field%u", fields[i].field);
        fields[i].type = 3;
        fields[i].status = large(handle, what, &fields[i].value.ull);
    }
    return OK;
}

/* `N.process` is pid:bytes */
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, Process *out) {
    int status;
    const char *word;
    if (*count == 0) {
        *count = 1;
        return TOO_SMALL;
    }
    word = of(handle, "process", &status);
    *count = 0;
    if (!word) return status == NOT_SUPPORTED ? OK : status;
    memset(out, 0, sizeof *out);
    out->pid = (unsigned)strtoul(word, NULL, 10);
    out->used = strtoull(strchr(word, ':') + 1, NULL, 10);
    *count = 1;
    return OK;
}

/* `N.share` is pid:percent */
int nvmlDeviceGetProcessUtilization(void *handle, Share *out, unsigned *count,
                                    unsigned long long since) {
    int status;
    const char *word;
    (void)since;
    if (!out) {
        *count = 1;
        return TOO_SMALL;
    }
    word = of(handle, "share", &status);
    if (!word) return status;
    memset(out, 0, sizeof *out);
    out->pid = (unsigned)strtoul(word, NULL, 10);
    out->sm = (unsigned)strtoul(strchr(word, ':') + 1, NULL, 10);
    out->stamp = 1;
    return OK;
}
