namespace Dataplane.Native;

/// <summary>What the kernel says about a network interface at one moment.</summary>
public sealed record NetworkInterfaceInfo
{
    /// <summary>Its name, 1 to 15 bytes.</summary>
    public required string Name { get; init; }

    /// <summary>Its number in its network namespace; never used again there while the system runs.</summary>
    public required int Index { get; init; }

    /// <summary>Its MAC address in the low 48 bits, the first byte on the wire most significant; 0 when it is not an Ethernet interface.</summary>
    public required ulong HardwareAddress { get; init; }

    /// <summary>Whether its frames begin with an Ethernet header (also true of loopback, whose addresses are zero).</summary>
    public required bool IsEthernet { get; init; }

    /// <summary>Largest layer 3 packet in bytes.</summary>
    public required int MtuBytes { get; init; }

    /// <summary>Whether it is administratively up (IFF_UP).</summary>
    public required bool IsUp { get; init; }

    /// <summary>Whether it is operational, carrier included (IFF_RUNNING).</summary>
    public required bool IsRunning { get; init; }

    /// <summary>Whether it is a loopback interface (IFF_LOOPBACK).</summary>
    public required bool IsLoopback { get; init; }

    /// <summary>Reads an interface of the current network namespace, or of another one.</summary>
    /// <param name="name">Name of the interface.</param>
    /// <param name="networkNamespace">Null for the current namespace; a name as in <c>ip netns list</c>; or a path.</param>
    /// <returns>Null when there is no such interface.</returns>
    /// <exception cref="LinuxException">The namespace cannot be entered, or the kernel refused to answer.</exception>
    public static NetworkInterfaceInfo? TryRead(string name, string? networkNamespace = null)
    {
        using var control = InterfaceControl.Open(networkNamespace);
        return control.TryRead(name);
    }
}
