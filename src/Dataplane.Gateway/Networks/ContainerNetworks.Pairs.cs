using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks;

/// <summary>Endpoints that are attached by a pair of interfaces: one end in the container, one here for the engine's port.</summary>
internal sealed partial class ContainerNetworks
{
    /// <summary>Names of the ends here that are known to be there.</summary>
    private readonly HashSet<string> _pairs = new(StringComparer.Ordinal);

    /// <summary>Sees to it that all pairs are there. Those of a service before this one are: they live as long as the container.</summary>
    /// <exception cref="IOException">The namespace is gone, or the kernel refused.</exception>
    private void MakePairs(NetworkState state)
    {
        foreach (NetworkView view in state.Networks)
        {
            foreach (EndpointRecord endpoint in view.Endpoints.Where(endpoint => AttachKind.IsPair(endpoint.Attach)))
            {
                string own = SpecComposer.PortName(view.Network, endpoint);
                if (_pairs.Contains(own))
                {
                    continue;
                }

                KernelInterface.AddPair(own, endpoint.Namespace, endpoint.Interface, MacAddress.Parse(endpoint.Mac), view.Network.Mtu);
                if (endpoint.Attach == AttachKind.VethXdp)
                {
                    // AF_XDP hands over frames without the kernel's word on which checksums are unfinished.
                    KernelInterface.FinishChecksums(endpoint.Namespace, endpoint.Interface);
                }

                _pairs.Add(own);
            }
        }
    }
}
