using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>Which traffic an AF_XDP port takes from the kernel, as rules of its XDP program.</summary>
/// <param name="Take">What it takes; empty: everything.</param>
/// <param name="Leave">What it leaves to the kernel of that.</param>
internal sealed record AfXdpTraffic(IReadOnlyList<XdpRule> Take, IReadOnlyList<XdpRule> Leave)
{
    public static AfXdpTraffic Everything { get; } = new([], []);
}
