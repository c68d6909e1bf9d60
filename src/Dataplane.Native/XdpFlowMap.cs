// syscalls: membarrier mmap
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Bpf;

namespace Dataplane.Native;

/// <summary>What the XDP programs of several ports share for the fast path: flows, their counters, and the devices they leave by.</summary>
/// <remarks>
/// The counters are memory that the programs add to and this process reads, without a call. Their first place holds the epoch: a flow written in another one does
/// not count, so one store switches all of them off. Beside its counters each place has a word of the same kind, which ends one flow alone. Calls from one thread at a
/// time; <see cref="Epoch"/>, <see cref="Read"/> and <see cref="End"/> from any.
/// </remarks>
internal sealed unsafe class XdpFlowMap : IDisposable
{
    /// <summary>Most flows at a time.</summary>
    internal const int MaxFlows = 32_767;

    /// <summary>Most ports.</summary>
    internal const int MaxDevices = 64;

    internal const int KeyBytes = 44, FlowBytes = 80, CounterBytes = 32;

    /// <summary>Where in a place stands the epoch in which its flow holds, behind packets and bytes.</summary>
    internal const int HoldsAt = 16;

    private const int LongsEach = CounterBytes / sizeof(long);

    /// <summary>linux/membarrier.h: waits for a grace period of RCU, under which programs run.</summary>
    private const int MEMBARRIER_CMD_GLOBAL = 1;

    /// <summary>Longer than any program runs.</summary>
    private static readonly TimeSpan s_longAgo = TimeSpan.FromMilliseconds(50);

    private readonly FileDescriptor _flows;
    private readonly FileDescriptor _counters;
    private readonly FileDescriptor _devices;
    private readonly UnmapHandle _mapping;
    private readonly bool[] _used = new bool[MaxDevices];
    private readonly Lock _gate = new();
    private long* _values;

    /// <summary>Makes the maps.</summary>
    /// <exception cref="LinuxException">CAP_BPF is missing, or the kernel is older than 5.5.</exception>
    internal XdpFlowMap()
    {
        FileDescriptor? flows = null, counters = null, devices = null;
        try
        {
            flows = BpfObjects.CreateMap(BPF_MAP_TYPE_HASH, KeyBytes, FlowBytes, MaxFlows, 0, "dataplane_flow"u8);
            counters = BpfObjects.CreateMap(BPF_MAP_TYPE_ARRAY, sizeof(uint), CounterBytes, MaxFlows + 1, BPF_F_MMAPABLE, "dataplane_count"u8);
            devices = BpfObjects.CreateMap(BPF_MAP_TYPE_DEVMAP, sizeof(uint), sizeof(uint), MaxDevices, 0, "dataplane_dev"u8);
            nuint length = (MaxFlows + 1) * CounterBytes;
            nint address = Libc.Mmap(0, length, Memory.PROT_READ | Memory.PROT_WRITE, Memory.MAP_SHARED, counters.Number, 0);
            if (address == Memory.MAP_FAILED)
                throw LinuxException.FromLastError("mmap(BPF array)", "dataplane_count");
            _mapping = new UnmapHandle(address, length);
            _values = (long*)address;
            (_flows, _counters, _devices) = (flows, counters, devices);
        }
        catch
        {
            flows?.Dispose();
            counters?.Dispose();
            devices?.Dispose();
            throw;
        }
    }

    /// <summary>The epoch in force; 0: none, and everything comes to the sockets.</summary>
    internal uint Epoch
    {
        get => _values is null ? 0 : (uint)Volatile.Read(ref *_values);
        set
        {
            if (_values is not null)
                Volatile.Write(ref *_values, value);
        }
    }

    internal int FlowsNumber => _flows.Number;

    internal int CountersNumber => _counters.Number;

    internal int DevicesNumber => _devices.Number;

    /// <summary>Notes a device of the thread's network namespace that flows may leave by.</summary>
    /// <returns>Its number here.</returns>
    /// <exception cref="LinuxException">The kernel refused, or there are as many as there can be.</exception>
    internal int AddDevice(int interfaceIndex, string subject)
    {
        lock (_gate)
        {
            int number = Array.IndexOf(_used, false);
            if (number < 0)
                throw new LinuxException(Errno.ENOSPC, "bpf(BPF_MAP_UPDATE_ELEM, DEVMAP)", subject, $"{MaxDevices} ports can have offload: xdp");
            if (!BpfObjects.TryUpdate(_devices, &number, &interfaceIndex))
                throw LinuxException.FromLastError("bpf(BPF_MAP_UPDATE_ELEM, DEVMAP)", subject);
            _used[number] = true;
            return number;
        }
    }

    /// <summary>Forgets a device; no flow leads to it any more.</summary>
    internal void RemoveDevice(int number)
    {
        lock (_gate)
        {
            BpfObjects.TryDelete(_devices, &number);
            _used[number] = false;
        }
    }

    /// <summary>Writes a flow; false when the kernel has no room.</summary>
    internal bool TryPut(in XdpFlowKey key, in XdpFlow flow)
    {
        fixed (XdpFlowKey* at = &key)
        fixed (XdpFlow* value = &flow)
            return BpfObjects.TryUpdate(_flows, at, value);
    }

    /// <summary>Removes a flow. What a program has found already, it may still forward and count.</summary>
    internal void Remove(in XdpFlowKey key)
    {
        fixed (XdpFlowKey* at = &key)
            BpfObjects.TryDelete(_flows, at);
    }

    /// <summary>Packets and bytes counted in a place, 1 to <see cref="MaxFlows"/>; they only grow.</summary>
    internal (long Packets, long Bytes) Read(int slot) =>
        _values is null ? default : (Volatile.Read(ref _values[LongsEach * slot]), Volatile.Read(ref _values[(LongsEach * slot) + 1]));

    /// <summary>Has the flow of a place hold, in an epoch.</summary>
    internal void Begin(int slot, uint epoch) => SetHolds(slot, epoch);

    /// <summary>Ends the flow of a place at once: no program that looks at it from here on forwards by it, whether or not it is still in the map.</summary>
    internal void End(int slot) => SetHolds(slot, 0);

    /// <summary>Waits until no program is at work any more on what it found before this was called. Milliseconds; may be some tens.</summary>
    internal static void WaitForPrograms()
    {
        // Programs run within a read side of RCU, and this command waits for all of those. Kernels with nohz_full refuse it.
        nint number = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 324 : 283;
        if (Libc.Membarrier(number, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
            Thread.Sleep(s_longAgo);
    }

    private void SetHolds(int slot, uint epoch)
    {
        if (_values is not null)
            Volatile.Write(ref _values[(LongsEach * slot) + (HoldsAt / sizeof(long))], epoch);
    }

    /// <summary>Closes the maps; programs that use them keep them until they go.</summary>
    public void Dispose()
    {
        Epoch = 0;
        _values = null;
        _mapping.Dispose();
        _flows.Dispose();
        _counters.Dispose();
        _devices.Dispose();
    }
}
