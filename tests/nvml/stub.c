/* A stand-in for NVIDIA's libnvidia-ml.so.1, with the types of nvml.h (CUDA 12) that the exporter's queries pass.
 *
 * Every call reads the scenario, the file that NVML_STUB_SCENARIO names. Its lines:
 *   gpus N                    this many GPUs (default 0, at most 8)
 *   fail FUNCTION GPU CODE    the function, of that GPU or of any (*), returns the code
 *   lost GPU                  the GPU is lost, until NVML is started without this line
 *   hang FUNCTION             the function does not come back before this line is gone
 * With OLD_DRIVER defined it has the entry points of a driver of before 510 only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15,
    ARGUMENT_VERSION_MISMATCH = 25, MOST_GPUS = 8
};
typedef unsigned long long u64;
typedef struct device { unsigned index; int lost; } *device_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { u64 total, free, used; } memory_t;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2_t;
typedef struct { unsigned pid; u64 used_memory; unsigned gpu_instance, compute_instance; } process_t;

static struct device devices[MOST_GPUS];
static int started, starts;

int stub_starts(void) { return starts; }

static int scenario(const char *function, int gpu, int *gpus, int *lost) {
    char line[256], name[128], which[16];
    int code, number, result = SUCCESS, hangs = 0;
    const char *path = getenv("NVML_STUB_SCENARIO");
    FILE *file = path ? fopen(path, "r") : NULL;
    *gpus = 0;
    *lost = 0;
    if (!file) return SUCCESS;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "hang %127s", name) == 1 && !strcmp(name, function)) hangs = 1;
        if (sscanf(line, "gpus %d", &number) == 1) *gpus = number < MOST_GPUS ? number : MOST_GPUS;
        if (sscanf(line, "lost %d", &number) == 1 && number == gpu) *lost = 1;
        if (sscanf(line, "fail %127s %15s %d", name, which, &code) == 3 && !strcmp(name, function)
            && (!strcmp(which, "*") || atoi(which) == gpu))
            result = code;
    }
    fclose(file);
    if (!hangs) return result;
    usleep(10000);
    return scenario(function, gpu, gpus, lost);
}

static int ask_library(const char *function) {
    int gpus, lost;
    return started ? scenario(function, -1, &gpus, &lost) : UNINITIALIZED;
}

static int ask_device(const char *function, device_t device) {
    int gpus, lost, code;
    if (!started) return UNINITIALIZED;
    if (!device) return INVALID_ARGUMENT;
    code = scenario(function, (int)device->index, &gpus, &lost);
    device->lost |= lost;
    return device->lost ? GPU_IS_LOST : code;
}

#define DEVICE_QUERY(answer)                                 \
    do {                                                     \
        int code = ask_device(__func__, device);             \
        if (code) return code;                               \
        answer;                                              \
        return SUCCESS;                                      \
    } while (0)

int nvmlInitWithFlags(unsigned flags) {
    int gpus, lost, code = scenario(__func__, -1, &gpus, &lost);
    (void)flags;
    if (code) return code;
    for (unsigned index = 0; index < MOST_GPUS; index++) {
        devices[index].index = index;
        devices[index].lost = 0;
    }
    starts++;
    started = 1;
    return SUCCESS;
}

int nvmlShutdown(void) {
    int code = ask_library(__func__);
    if (!code) started = 0;
    return code;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    int gpus, lost, code = ask_library(__func__);
    if (code) return code;
    scenario(__func__, -1, &gpus, &lost);
    *count = (unsigned)gpus;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *device) {
    int code;
    if (index >= MOST_GPUS) return INVALID_ARGUMENT;
    code = ask_device(__func__, &devices[index]);
    if (!code) *device = &devices[index];
    return code;
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    int code = ask_library(__func__);
    if (!code) snprintf(text, size, "570.86.15");
    return code;
}

int nvmlDeviceGetName(device_t device, char *text, unsigned size) {
    DEVICE_QUERY(snprintf(text, size, "NVIDIA H100 80GB HBM3"));
}

int nvmlDeviceGetUUID(device_t device, char *text, unsigned size) {
    DEVICE_QUERY(snprintf(text, size, "GPU-0000000%u-1111-2222-3333-444444444444", device->index));
}

int nvmlDeviceGetUtilizationRates(device_t device, utilization_t *utilization) {
    DEVICE_QUERY(utilization->gpu = 97 - device->index; utilization->memory = 41);
}

int nvmlDeviceGetMemoryInfo(device_t device, memory_t *memory) {
    DEVICE_QUERY(memory->total = 85520809984ull; memory->free = 84000000000ull; memory->used = 1520809984ull);
}

int nvmlDeviceGetTemperature(device_t device, int sensor, unsigned *celsius) {
    DEVICE_QUERY(if (sensor != 0) return INVALID_ARGUMENT; *celsius = 51 + device->index);
}

int nvmlDeviceGetPowerUsage(device_t device, unsigned *milliwatts) { DEVICE_QUERY(*milliwatts = 312345); }

int nvmlDeviceGetEnforcedPowerLimit(device_t device, unsigned *milliwatts) { DEVICE_QUERY(*milliwatts = 700000); }

int nvmlDeviceGetTotalEnergyConsumption(device_t device, u64 *millijoules) {
    DEVICE_QUERY(*millijoules = 9007199254740ull + device->index);
}

int nvmlDeviceGetFanSpeed(device_t device, unsigned *percent) { DEVICE_QUERY(*percent = 30); }

int nvmlDeviceGetClockInfo(device_t device, int clock, unsigned *mhz) {
    static const unsigned clocks[] = {1980, 1975, 2619, 1545};
    DEVICE_QUERY(if (clock < 0 || clock > 3) return INVALID_ARGUMENT; *mhz = clocks[clock]);
}

int nvmlDeviceGetPcieThroughput(device_t device, int counter, unsigned *kilobytes) {
    DEVICE_QUERY(*kilobytes = counter == 0 ? 1500 : counter == 1 ? 250 : 0);
}

int nvmlDeviceGetTotalEccErrors(device_t device, int type, int counter, u64 *errors) {
    DEVICE_QUERY(if (counter != 1) return INVALID_ARGUMENT; *errors = type == 0 ? 7 : 5000000000ull);
}

#ifdef OLD_DRIVER
int nvmlDeviceGetCurrentClocksThrottleReasons(device_t device, u64 *reasons) { DEVICE_QUERY(*reasons = 0x24); }
#else
static int list_processes(const unsigned *pids, unsigned found, unsigned *count, process_t *processes) {
    unsigned room = *count;
    *count = found;
    if (!found) return SUCCESS;
    if (!processes || room < found) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < found; i++) processes[i] = (process_t){pids[i], 1ull << 33, ~0u, ~0u};
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(device_t device, memory_v2_t *memory) {
    DEVICE_QUERY(if (memory->version != (sizeof *memory | 2u << 24)) return ARGUMENT_VERSION_MISMATCH;
                 memory->total = 85520809984ull; memory->reserved = 520809984ull; memory->free = 84000000000ull;
                 memory->used = 1000000000ull);
}

int nvmlDeviceGetCurrentClocksEventReasons(device_t device, u64 *reasons) { DEVICE_QUERY(*reasons = 0x24); }

int nvmlDeviceGetComputeRunningProcesses_v3(device_t device, unsigned *count, process_t *processes) {
    static const unsigned pids[] = {4242, 4243, 4244};
    DEVICE_QUERY(return list_processes(pids, device->index ? 0 : 3, count, processes));
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(device_t device, unsigned *count, process_t *processes) {
    static const unsigned pids[] = {4243, 4300};
    DEVICE_QUERY(return list_processes(pids, device->index ? 0 : 2, count, processes));
}
#endif
