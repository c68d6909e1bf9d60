using System.Globalization;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Says which backend of a service a datagram belongs to by its connection ID. Immutable, so that all workers share it; allocates nothing but to describe.</summary>
internal sealed class ConnectionIdRouter
{
    /// <summary>Katran looks at connection IDs of this length and longer only.</summary>
    private const int KatranMinBytes = 8;

    private readonly bool _isKatran;

    /// <summary>By number, which the first three bits of a connection ID are.</summary>
    private readonly QuicLbDecoder?[] _decoders = new QuicLbDecoder?[8];
    private readonly ServerIdTable _servers;

    /// <summary>Backends that nobody is sent to, not even those who ask for them.</summary>
    private readonly HashSet<BackendRuntime> _unavailable;

    /// <summary>Makes the router of a service.</summary>
    /// <param name="spec">The formats; valid.</param>
    /// <param name="specs">The service's backends.</param>
    /// <param name="backends">The same in force.</param>
    /// <param name="isAvailable">Whether a backend keeps the connections that it has.</param>
    public ConnectionIdRouter(QuicSpec spec, IReadOnlyList<BackendSpec> specs, BackendRuntime[] backends, Predicate<BackendRuntime> isAvailable)
    {
        _isKatran = spec.ConnectionIds == ConnectionIdFormat.Katran;
        foreach (QuicLbSpec config in spec.Configs)
        {
            _decoders[config.Id] = new QuicLbDecoder(config);
        }

        var servers = new List<(ServerKey, BackendRuntime)>();
        for (int i = 0; i < backends.Length; i++)
        {
            foreach (string text in ServerKey.Split(specs[i].ServerIds))
            {
                if (ServerKey.TryRead(text, spec.ConnectionIds, out ServerKey key))
                {
                    servers.Add((key, backends[i]));
                }
            }
        }

        _servers = new ServerIdTable(servers);
        _unavailable = [.. backends.Where(backend => !isAvailable(backend))];
    }

    /// <summary>Finds the backend of a datagram.</summary>
    /// <param name="datagram">What is in the UDP datagram; any bytes.</param>
    /// <param name="backend">Receives the backend when the outcome is that it is routed.</param>
    public ConnectionIdOutcome Find(ReadOnlySpan<byte> datagram, out BackendRuntime? backend)
    {
        ConnectionIdOutcome outcome = Read(datagram, out _, out ServerKey server);
        backend = outcome == ConnectionIdOutcome.Routed ? _servers.Find(in server) : null;
        if (outcome != ConnectionIdOutcome.Routed)
        {
            return outcome;
        }

        if (backend is null)
        {
            return ConnectionIdOutcome.UnknownServer;
        }

        if (_unavailable.Count > 0 && _unavailable.Contains(backend))
        {
            backend = null;
            return ConnectionIdOutcome.Unavailable;
        }

        return ConnectionIdOutcome.Routed;
    }

    /// <summary>What the connection ID of a datagram says, in words.</summary>
    public string Describe(ReadOnlySpan<byte> datagram)
    {
        ConnectionIdOutcome outcome = Find(datagram, out BackendRuntime? backend);
        if (Read(datagram, out int config, out ServerKey server) == ConnectionIdOutcome.Routed)
        {
            string of = string.Create(CultureInfo.InvariantCulture, $"connection ID of {(_isKatran ? "version" : "configuration")} {config} names server {server}");
            return outcome switch
            {
                ConnectionIdOutcome.Routed => $"{of}, backend {backend}",
                ConnectionIdOutcome.Unavailable => $"{of}, which keeps no connections now",
                _ => $"{of}, which no backend is",
            };
        }

        return outcome switch
        {
            ConnectionIdOutcome.ClientChosen => "an Initial or 0-RTT packet, whose connection ID the client has chosen",
            ConnectionIdOutcome.UnknownType => "a long header of unknown version, or of a type that clients do not send",
            ConnectionIdOutcome.NoConfiguration => string.Create(CultureInfo.InvariantCulture, $"connection ID of {(_isKatran ? "version" : "configuration")} {config}, which there is not"),
            _ => "no connection ID of the right length",
        };
    }

    /// <summary>Reads the server ID, and by what: the number of the configuration, or Katran's version; -1 where there is none.</summary>
    private ConnectionIdOutcome Read(ReadOnlySpan<byte> datagram, out int config, out ServerKey server)
    {
        (config, server) = (-1, default);
        ConnectionIdOutcome outcome = QuicHeader.Read(datagram, _isKatran, out ReadOnlySpan<byte> id, out bool isLong);
        if (outcome != ConnectionIdOutcome.Routed || id.IsEmpty)
        {
            return outcome == ConnectionIdOutcome.Routed ? ConnectionIdOutcome.WrongLength : outcome;
        }

        if (_isKatran)
        {
            return ReadKatran(id, out config, out server);
        }

        config = id[0] >> 5;
        return _decoders[config] is not { } decoder ? ConnectionIdOutcome.NoConfiguration
            : decoder.TryDecode(id, isLong, out server) ? ConnectionIdOutcome.Routed : ConnectionIdOutcome.WrongLength;
    }

    /// <summary>Version 1 has 16 bits behind the two of the version, versions 2 and 3 have 24 and 32 bits behind the first byte. Nobody is number 0.</summary>
    private static ConnectionIdOutcome ReadKatran(ReadOnlySpan<byte> id, out int version, out ServerKey server)
    {
        (version, server) = (id[0] >> 6, default);
        if (id.Length < KatranMinBytes)
        {
            return ConnectionIdOutcome.WrongLength;
        }

        uint first = (uint)(id[0] << 24 | id[1] << 16 | id[2] << 8 | id[3]);
        server = ServerKey.Of(version switch { 1 => first << 2 >> 16, 2 => first & 0xFF_FFFF, _ => (first << 8) | id[4] });
        return version == 0 ? ConnectionIdOutcome.NoConfiguration : ConnectionIdOutcome.Routed;
    }
}
