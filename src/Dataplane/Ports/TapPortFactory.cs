using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Opens TAP ports: the engine is the other end of the wire of an interface of the kernel. Needs CAP_NET_ADMIN.</summary>
/// <param name="deviceName">Name of the interface, which is made if it does not exist.</param>
public sealed class TapPortFactory(string deviceName) : IPortFactory
{
    /// <inheritdoc/>
    public string Kind => "tap";

    /// <summary>How the device is made.</summary>
    public TapOptions Options { get; init; } = new() { Offload = true };

    /// <summary>Hardware address that the port sends from; null: one derived from the interface's, which belongs to the kernel's end.</summary>
    public MacAddress? Mac { get; init; }

    /// <inheritdoc/>
    public IPort Open(string name) => new TapPort(TapDevice.Open(deviceName, Options), Mac);
}
