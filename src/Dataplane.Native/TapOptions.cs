namespace Dataplane.Native;

/// <summary>How a <see cref="TapDevice"/> is made.</summary>
public sealed record TapOptions
{
    /// <summary>Largest layer 3 packet in bytes, 68 to 65,521; 0 leaves it as it is (1,500 for a new device).</summary>
    public int MtuBytes { get; init; }

    /// <summary>MAC address of the kernel's end in the low 48 bits, the first byte on the wire most significant.</summary>
    /// <remarks>0 leaves it as it is, which is random for a new device.</remarks>
    public ulong HardwareAddress { get; init; }

    /// <summary>Whether the device stays when it is closed.</summary>
    public bool Persist { get; init; }

    /// <summary>Whether to put the interface up.</summary>
    public bool BringUp { get; init; } = true;

    /// <summary>Whether frames carry an offload header, so that TCP and UDP data may pass in super-frames of up to 64 KB with unfinished checksums.</summary>
    /// <remarks>What the kernel grants of it, <see cref="TapDevice.Offloads"/> says. Off by default: every frame is then what it would be on a wire.</remarks>
    public bool Offload { get; init; }

    /// <summary>Whether the device is opened once for each of several queues (IFF_MULTI_QUEUE).</summary>
    internal bool MultiQueue { get; init; }

    /// <summary>Network namespace of the interface: null for the current one, a name as in <c>ip netns list</c>, or a path.</summary>
    public string? NetworkNamespace { get; init; }
}
