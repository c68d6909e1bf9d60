using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Services;
using Dataplane.Packets;

namespace Dataplane.Mesh.Configuration;

/// <summary>Relays, and the services that they carry.</summary>
internal sealed partial class MeshReader
{
    private static readonly IntRange s_firstPort = new("port", 1024, ushort.MaxValue + 1 - MeshRelaySpec.PortCount);

    private MeshRelaySpec ReadRelay(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, MeshKeys.Relay, _errors);
        var defaults = new MeshRelaySpec();
        return new MeshRelaySpec
        {
            Outbound = Texts(map, "outbound", (text, at) => TextReading.Address(text, at, _errors)),
            FirstPort = (int)map.Integer("first_port", s_firstPort, defaults.FirstPort),
            InboundPort = (int)map.Integer("inbound_port", s_port, defaults.InboundPort),
            TrustDomain = map.Text("trust_domain"),
        };
    }

    private void CheckRelay(MeshSpec mesh)
    {
        if (mesh.Relay is not { } relay)
        {
            return;
        }

        if (relay.TrustDomain.Length > 0 && !SpiffeId.IsTrustDomain(relay.TrustDomain))
        {
            _errors.Add(new ConfigurationError("mesh.relay.trust_domain", "is no trust domain: lower-case letters, digits, '.', '-' and '_' are allowed", relay.TrustDomain));
        }

        for (int index = 0; index < relay.Outbound.Count; index++)
        {
            IpAddress address = relay.Outbound[index];
            if (relay.Outbound.Take(index).Any(other => other.Family == address.Family))
            {
                _errors.Add(new ConfigurationError($"mesh.relay.outbound[{index.ToString(CultureInfo.InvariantCulture)}]", "is the second address of its family; one is used", address.ToString()));
            }
        }
    }

    private void CheckTls(MeshSpec mesh, MeshServiceSpec service, string path)
    {
        if (service.Tls == MeshServiceTls.None)
        {
            if (service.Identity.Length > 0)
            {
                _errors.Add(new ConfigurationError($"{path}.identity", "is of no use without tls: mutual", service.Identity));
            }

            return;
        }

        if (service.Kind is MeshServiceKind.Headless or MeshServiceKind.ExternalName)
        {
            _errors.Add(new ConfigurationError($"{path}.tls", "needs a service with an address of its own: the names of this kind lead past the relays", "mutual"));
        }

        if (mesh.Relay is not { Outbound.Count: > 0 })
        {
            _errors.Add(new ConfigurationError($"{path}.tls", "needs the address of the clients' relay: add mesh.relay with outbound", "mutual"));
        }

        string identity = CarriedPort.IdentityOf(mesh, service);
        if (identity.Length == 0)
        {
            _errors.Add(new ConfigurationError($"{path}.identity", "is missing: who serves it must be known, else anyone in the mesh could; or give mesh.relay a trust_domain"));
        }
        else if (service.Identity.Length > 0 && !SpiffePattern.TryParse(identity, out _, out string problem))
        {
            _errors.Add(new ConfigurationError($"{path}.identity", problem, identity));
        }

        for (int port = 0; port < service.Ports.Count; port++)
        {
            if (service.Ports[port].Protocol != IpProtocols.Tcp)
            {
                _errors.Add(new ConfigurationError($"{path}.ports[{port.ToString(CultureInfo.InvariantCulture)}].protocol", "cannot be carried by relays; make it a service of its own, without tls", "udp"));
            }
        }
    }
}
