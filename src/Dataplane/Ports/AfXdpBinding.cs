using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>All that ties an AF_XDP port to its interface: socket, program, place in the memory. Opened and closed by the control side.</summary>
internal sealed class AfXdpBinding : IDisposable
{
    /// <summary>What the kernel keeps free in front of each frame (XDP_PACKET_HEADROOM); the engine may lengthen headers into it.</summary>
    internal const int HeadroomBytes = 256;

    private const int LinkBytes = 14 + 4;
    private const int SmallChunkBytes = 2048, LargeChunkBytes = 4096;

    private readonly XdpAttachment _attachment;
    private readonly InterfaceControl _control;
    private readonly Lock _gate = new();      // against an interface that is asked about by another thread while the port closes
    private int[] _chunks;
    private bool _disposed;

    private AfXdpBinding(NetworkInterfaceInfo info, InterfaceControl control, XdpAttachment attachment, AfXdpSocket socket, XdpMemory memory, byte number, int[] chunks)
    {
        Interface = info;
        _control = control;
        _attachment = attachment;
        Socket = socket;
        Memory = memory;
        Number = number;
        _chunks = chunks;
    }

    public NetworkInterfaceInfo Interface { get; }

    public AfXdpSocket Socket { get; }

    public XdpMemory Memory { get; }

    /// <summary>The port's number in the memory.</summary>
    public byte Number { get; }

    public int RingEntries { get; private init; }

    /// <summary>What the port's interface is to the fast path; null: nothing, or it is another queue's affair.</summary>
    public FastPathPort? FastPath { get; private set; }

    /// <summary>The largest layer 3 packet that the port takes and sends.</summary>
    public int MtuBytes => Math.Min(Interface.MtuBytes, Memory.HasFragments ? ushort.MaxValue : LargestMtu(Memory.ChunkBytes));

    /// <summary>How the port works, in a few words.</summary>
    public string Description => $"{(_attachment.Mode == XdpMode.Native ? "native" : "generic")} XDP, {(Socket.IsZeroCopy ? "zero copy" : "copy")}, "
        + $"{(Socket.IsShared ? "shared" : "own")} memory, {(Socket.TransmitBudget == 0 ? "all frames" : $"{Socket.TransmitBudget} frames")} per call"
        + (Memory.HasFragments ? ", frames in several buffers" : MtuBytes < Interface.MtuBytes ? $", frames in one buffer: an MTU of {MtuBytes} at most" : "")
        + (Socket.IsBusyPolling ? ", busy polling" : "") + (FastPath is null ? "" : $", {FastPath.Description}");

    /// <summary>The largest layer 3 packet that a chunk takes.</summary>
    public static int LargestMtu(int chunkBytes) => chunkBytes - HeadroomBytes - LinkBytes;

    /// <summary>Opens everything, with the memory of other ports if the kernel lets it be shared.</summary>
    /// <param name="interfaceName">Name of the interface.</param>
    /// <param name="options">Shape of the rings, mode, first queue, namespace.</param>
    /// <param name="take">What the port takes from the kernel.</param>
    /// <param name="leave">What it leaves to it of that.</param>
    /// <param name="memoriesOf">For each queue: the memories of the worker that runs it.</param>
    /// <param name="flows">Flows that the program forwards by itself; null: none.</param>
    /// <returns>A binding for each queue. They are closed together: the first takes the program off the interface.</returns>
    /// <exception cref="IOException">The kernel refused, or the interface does not carry Ethernet frames.</exception>
    public static AfXdpBinding[] Open(string interfaceName, AfXdpOptions options, TrafficRules take, TrafficRules leave,
        IReadOnlyList<AfXdpMemories> memoriesOf, XdpFlowMap? flows = null)
    {
        options.Validate();
        return NamespaceThread.Run(options.NetworkNamespace, () => OpenHere(interfaceName, options, take, leave, memoriesOf, flows));
    }

    /// <summary>The chunks that the port brought; once.</summary>
    public int[] TakeChunks() => Interlocked.Exchange(ref _chunks, []);

    /// <summary>Looks whether the interface is up. Three short system calls. Any thread; gone once disposed.</summary>
    public InterfaceState LookAtInterface()
    {
        lock (_gate)
        {
            return _disposed ? InterfaceState.Gone : _control.StateOf(Interface.Index);
        }
    }

    /// <summary>Closes everything; the program, which the queues of a port share, is off the interface before the socket goes, so that no frame finds it closed.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        _attachment.Dispose();
        FastPath?.Dispose();
        Socket.Dispose();
        _control.Dispose();
        Memory.Leave(Number, keepsChunks: Socket.IsZeroCopy);
    }

    private static bool IsFinal(string errno) => errno is "EBUSY" or "EPERM" or "ENODEV" or "ENETDOWN";

    private static AfXdpBinding[] OpenHere(string interfaceName, AfXdpOptions options, TrafficRules take, TrafficRules leave,
        IReadOnlyList<AfXdpMemories> memoriesOf, XdpFlowMap? flows)
    {
        using InterfaceControl control = InterfaceControl.Open();
        NetworkInterfaceInfo info = control.TryRead(interfaceName) ?? throw LinuxException.NoInterface(interfaceName);
        if (!info.IsEthernet)
        {
            throw new IOException($"Interface {interfaceName} does not carry Ethernet frames; use one that does (veth, bridge, NIC, TAP).");
        }

        XdpAttachment attachment = Attach(info, options, take, leave, flows);
        var bindings = new List<AfXdpBinding>();
        try
        {
            for (int queue = 0; queue < memoriesOf.Count; queue++)
            {
                bindings.Add(OpenQueue(info, attachment, options with { Queue = options.Queue + queue }, memoriesOf[queue]));
            }

            bindings[0].FastPath = flows is null ? null : new FastPathPort(flows, info.Index, interfaceName);
            return [.. bindings];
        }
        catch
        {
            attachment.Dispose();
            bindings.ForEach(binding => binding.Dispose());
            throw;
        }
    }

    private static bool NeedsFragments(NetworkInterfaceInfo info, AfXdpOptions options) => options.AllowMultiBuffer && info.MtuBytes > LargestMtu(LargeChunkBytes);

    private static XdpAttachment Attach(NetworkInterfaceInfo info, AfXdpOptions options, TrafficRules take, TrafficRules leave, XdpFlowMap? flows)
    {
        XdpRule[] taken = [.. take.Select(rule => rule.ToXdp())], left = [.. leave.Select(rule => rule.ToXdp())];
        if (NeedsFragments(info, options))
        {
            try
            {
                return XdpAttachment.Attach(info, options.Mode, taken, left, flows, hasFragments: true);
            }
            catch (LinuxException refusal) when (!IsFinal(refusal.ErrnoName))
            {
                // A kernel before 5.18, or a driver that hands over whole frames only.
            }
        }

        return XdpAttachment.Attach(info, options.Mode, taken, left, flows);
    }

    private static AfXdpBinding OpenQueue(NetworkInterfaceInfo info, XdpAttachment attachment, AfXdpOptions options, AfXdpMemories memories)
    {
        try
        {
            return OpenQueue(info, attachment, options, memories, alone: false);
        }
        catch (LinuxException refusal) when (refusal.Call.StartsWith("bind", StringComparison.Ordinal) && !IsFinal(refusal.ErrnoName))
        {
            // A driver that cannot do what the memory's first one does (zero copy) needs a memory of its own.
            return OpenQueue(info, attachment, options, memories, alone: true);
        }
    }

    private static AfXdpBinding OpenQueue(NetworkInterfaceInfo info, XdpAttachment attachment, AfXdpOptions options, AfXdpMemories memories, bool alone)
    {
        InterfaceControl? control = null;
        XdpMemory? memory = null;
        AfXdpSocket? socket = null;
        byte number = 0;
        try
        {
            control = InterfaceControl.Open();
            memory = memories.Take(info.MtuBytes <= LargestMtu(SmallChunkBytes) ? SmallChunkBytes : LargeChunkBytes, options.RingEntries, NeedsFragments(info, options), alone);
            number = memory.Join(out int[] chunks);
            socket = AfXdpSocket.Open(info, memory, options);
            attachment.Connect(options.Queue, socket.Descriptor);
            memories.Opened();
            return new AfXdpBinding(info, control, attachment, socket, memory, number, chunks) { RingEntries = options.RingEntries };
        }
        catch
        {
            socket?.Dispose();
            control?.Dispose();
            if (number > 0)
            {
                memory!.Leave(number, keepsChunks: false);
            }

            throw;
        }
    }
}
