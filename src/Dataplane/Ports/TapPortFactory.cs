using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Opens TAP ports: the engine is the other end of the wire of an interface of the kernel.</summary>
/// <param name="deviceName">Name of the interface, which is made if it does not exist: needs CAP_NET_ADMIN. Without use when there is a descriptor.</param>
public sealed class TapPortFactory(string deviceName) : IPortFactory, IQueueFactory, IPassedPortFactory
{
    /// <inheritdoc/>
    public string Kind => "tap";

    /// <summary>How the device is made.</summary>
    public TapOptions Options { get; init; } = new() { Offload = true };

    /// <summary>Hardware address that the port sends from; null: one derived from the interface's, which belongs to the kernel's end.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Descriptor of a device that the parent process has opened and left open; null: the device is opened by name. Needs no privilege.</summary>
    /// <remarks>The port closes it, so a factory opens such a port once.</remarks>
    public int? Descriptor { get; init; }

    /// <inheritdoc/>
    public IPort Open(string name) => new TapPort(Descriptor is { } number ? TapDevice.FromDescriptor(number, Options) : TapDevice.Open(deviceName, Options), Mac);

    /// <inheritdoc/>
    IPort IPassedPortFactory.Adopt(FileDescriptor descriptor) => new TapPort(TapDevice.Adopt(descriptor, Options), Mac) { IsPaused = true };

    /// <inheritdoc/>
    /// <remarks>The kernel sends a flow by the queue that its other direction was written to last, which is why flows keep to a worker; new flows it spreads by a hash.</remarks>
    IQueuedPort IQueueFactory.OpenQueues(string name, IReadOnlyList<int> workers, Func<int, AfXdpMemories> memoriesOf)
    {
        string device = deviceName;
        return QueuedPort.Open(workers, _ =>
        {
            // The first may have been given a name; the others must be the same device.
            TapDevice queue = TapDevice.Open(device, Options with { MultiQueue = true });
            device = queue.Interface.Name;
            return new TapPort(queue, Mac);
        });
    }
}
