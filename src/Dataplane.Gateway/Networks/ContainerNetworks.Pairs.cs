using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks;

/// <summary>Endpoints that need something on the host before their port can be opened: a pair of interfaces, or a directory for the socket.</summary>
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

    /// <summary>Sees to it that the directories of all sockets are there; what is mounted of them in containers stays what it is.</summary>
    /// <exception cref="IOException">One cannot be made.</exception>
    private void MakeSocketDirectories(NetworkState state)
    {
        foreach (EndpointRecord endpoint in state.Networks.SelectMany(view => view.Endpoints).Where(endpoint => endpoint.Attach == AttachKind.Memif))
        {
            _sockets.Make(endpoint.Socket);
        }
    }

    /// <summary>The request with the path of its socket, if it is to have one.</summary>
    /// <exception cref="NetworkException">Another endpoint has the name.</exception>
    private EndpointRecord WithSocket(NetworkRecord network, EndpointRecord request)
    {
        if (request.Attach != AttachKind.Memif)
        {
            return request;
        }

        string port = SpecComposer.PortName(network, request), path = _sockets.PathOf(request.Socket.Length > 0 ? request.Socket : port);
        EndpointRecord? other = _state.Networks.SelectMany(view => view.Endpoints.Where(endpoint => SpecComposer.PortName(view.Network, endpoint) != port))
            .FirstOrDefault(endpoint => endpoint.Socket == path);
        return other is null ? request with { Socket = path }
            : throw new NetworkException(NetworkFault.Conflict, $"The memif directory {request.Socket} is that of {other.Key}: choose another name.");
    }
}
