using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>All that ties an AF_XDP port to its interface: socket, program, place in the memory. Opened and closed by the control side.</summary>
internal sealed class AfXdpBinding : IDisposable
{
    /// <summary>What the kernel keeps free in front of each frame (XDP_PACKET_HEADROOM); the engine may lengthen headers into it.</summary>
    private const int HeadroomBytes = 256;

    private const int LinkBytes = 14 + 4;
    private const int SmallChunkBytes = 2048, LargeChunkBytes = 4096;

    private readonly XdpAttachment _attachment;
    private readonly InterfaceControl _control;
    private int[] _chunks;

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

    /// <summary>How the port works, in a few words.</summary>
    public string Description => $"{(_attachment.Mode == XdpMode.Native ? "native" : "generic")} XDP, {(Socket.IsZeroCopy ? "zero copy" : "copy")}, "
        + $"{(Socket.IsShared ? "shared" : "own")} memory, {(Socket.TransmitBudget == 0 ? "all frames" : $"{Socket.TransmitBudget} frames")} per call"
        + (Socket.IsBusyPolling ? ", busy polling" : "");

    /// <summary>The largest layer 3 packet that a chunk takes.</summary>
    public static int LargestMtu(int chunkBytes) => chunkBytes - HeadroomBytes - LinkBytes;

    /// <summary>Opens everything, with the memory of other ports if the kernel lets it be shared.</summary>
    /// <exception cref="IOException">The kernel refused, or the interface does not carry Ethernet frames.</exception>
    public static AfXdpBinding Open(string interfaceName, AfXdpOptions options, TrafficRules take, TrafficRules leave, AfXdpMemories memories)
    {
        options.Validate();
        return NamespaceThread.Run(options.NetworkNamespace, () =>
        {
            try
            {
                return Open(interfaceName, options, take, leave, memories, alone: false);
            }
            catch (LinuxException refusal) when (refusal.Call.StartsWith("bind", StringComparison.Ordinal) && !IsFinal(refusal.ErrnoName))
            {
                // A driver that cannot do what the memory's first one does (zero copy) needs a memory of its own.
                return Open(interfaceName, options, take, leave, memories, alone: true);
            }
        });
    }

    /// <summary>The chunks that the port brought; once.</summary>
    public int[] TakeChunks() => Interlocked.Exchange(ref _chunks, []);

    /// <summary>Looks whether the interface is up. Three short system calls.</summary>
    public InterfaceState LookAtInterface() => _control.StateOf(Interface.Index);

    /// <summary>Closes everything; the program is off the interface before the socket goes, so that no frame finds it closed.</summary>
    public void Dispose()
    {
        _attachment.Dispose();
        Socket.Dispose();
        _control.Dispose();
        Memory.Leave(Number, keepsChunks: Socket.IsZeroCopy);
    }

    private static bool IsFinal(string errno) => errno is "EBUSY" or "EPERM" or "ENODEV" or "ENETDOWN";

    private static AfXdpBinding Open(
        string interfaceName, AfXdpOptions options, TrafficRules take, TrafficRules leave, AfXdpMemories memories, bool alone)
    {
        InterfaceControl? control = null;
        XdpAttachment? attachment = null;
        XdpMemory? memory = null;
        AfXdpSocket? socket = null;
        byte number = 0;
        try
        {
            control = InterfaceControl.Open();
            NetworkInterfaceInfo info = control.TryRead(interfaceName) ?? throw LinuxException.NoInterface(interfaceName);
            if (!info.IsEthernet)
            {
                throw new IOException($"Interface {interfaceName} does not carry Ethernet frames; use one that does (veth, bridge, NIC, TAP).");
            }

            attachment = XdpAttachment.Attach(info, options.Mode, [.. take.Select(rule => rule.ToXdp())], [.. leave.Select(rule => rule.ToXdp())]);
            memory = memories.Take(info.MtuBytes <= LargestMtu(SmallChunkBytes) ? SmallChunkBytes : LargeChunkBytes, options.RingEntries, alone);
            number = memory.Join(out int[] chunks);
            socket = AfXdpSocket.Open(info, memory, options);
            attachment.Connect(options.Queue, socket.Descriptor);
            memories.Opened();
            return new AfXdpBinding(info, control, attachment, socket, memory, number, chunks) { RingEntries = options.RingEntries };
        }
        catch
        {
            attachment?.Dispose();
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
