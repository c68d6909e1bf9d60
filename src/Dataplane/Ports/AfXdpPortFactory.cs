using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Opens AF_XDP ports: an XDP program hands the frames of an Ethernet interface's queues to the engine before the kernel's network stack.</summary>
/// <remarks>
/// Needs CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW. Ports that the engine opens by configuration share one memory; those of a factory share it if made with
/// the same one. Frames of queues that the port has not stay with the kernel, so let it have all of them
/// (<c>ethtool -l IF</c>); on veth the sender's transmit queues choose ours. Frames beyond an MTU of 3,822 bytes lie in several
/// buffers, which Linux 6.6 can do: they are put together when they come and cut when they leave, one copy each. Limits: on veth, VLAN tags that the sender leaves beside the
/// frame are lost (<c>ethtool -K IF tx-vlan-offload off</c> at the sender); in generic mode super-frames are dropped and counted (<c>ethtool -K IF tso off gso off</c> at the
/// sender; native mode sees to that itself).
/// </remarks>
/// <param name="interfaceName">Name of the interface.</param>
public sealed class AfXdpPortFactory(string interfaceName) : IPortFactory, IQueueFactory
{
    /// <inheritdoc/>
    public string Kind => "af_xdp";

    /// <summary>Shape of the rings, mode, queue.</summary>
    public AfXdpOptions Options { get; init; } = new();

    /// <summary>Hardware address that the port sends from; null: the interface's own.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes; null, or more than the interface's own: the interface's own.</summary>
    public int? Mtu { get; init; }

    /// <summary>What the port takes from the kernel, 64 rules with <see cref="Leave"/> at most; empty: everything.</summary>
    public TrafficRules Take { get; init; } = [];

    /// <summary>What it leaves to the kernel of that, such as SSH to the kernel's own address.</summary>
    public TrafficRules Leave { get; init; } = [];

    internal AfXdpMemories Memories { get; init; } = new();

    /// <summary>Flows that the program forwards by itself; null: none.</summary>
    internal XdpFlowMap? Flows { get; init; }

    /// <inheritdoc/>
    public IPort Open(string name) => Open([Memories])[0];

    /// <inheritdoc/>
    IQueuedPort IQueueFactory.OpenQueues(string name, IReadOnlyList<int> workers, Func<int, AfXdpMemories> memoriesOf) =>
        new QueuedPort(Open([.. workers.Select(memoriesOf)]), workers);

    private IPort[] Open(IReadOnlyList<AfXdpMemories> memories)
    {
        AfXdpBinding[] bindings = AfXdpBinding.Open(interfaceName, Options, Take, Leave, memories, Flows);
        try
        {
            return [.. bindings.Select(binding => new AfXdpPort(binding, Mac, Mtu))];
        }
        catch
        {
            Array.ForEach(bindings, binding => binding.Dispose());
            throw;
        }
    }
}
