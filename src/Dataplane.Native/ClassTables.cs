namespace Dataplane.Native;

/// <summary>Source, destination and service class of packets, all three in one pass without bounds checks. Immutable.</summary>
internal sealed unsafe class ClassTables
{
    private readonly AddressTable _source;
    private readonly AddressTable _destination;
    private readonly ServiceTable _service;
    private readonly RecordLayout _layout;

    /// <summary>Joins tables.</summary>
    /// <param name="source">Classes of source addresses.</param>
    /// <param name="destination">Classes of destination addresses.</param>
    /// <param name="service">Classes of everything else.</param>
    /// <param name="layout">Where the fields are in a record.</param>
    public ClassTables(AddressTable source, AddressTable destination, ServiceTable service, RecordLayout layout) =>
        (_source, _destination, _service, _layout) = (source, destination, service, layout);

    /// <summary>Bytes of the tables.</summary>
    public long SizeBytes => _source.SizeBytes + _destination.SizeBytes + _service.SizeBytes;

    /// <summary>The number of source classes.</summary>
    internal int Sources => _source.Classes;

    /// <summary>The number of destination classes.</summary>
    internal int Destinations => _destination.Classes;

    /// <summary>The number of service classes.</summary>
    internal int Services => _service.Classes;

    /// <summary>Whether the tables know IPv6 addresses.</summary>
    internal bool TakesV6 => _source.Trie is not null && _destination.Trie is not null;

    /// <summary>Bytes of a record.</summary>
    internal int RecordBytes => _layout.RecordBytes;

    /// <summary>The classes of some packets; lengths are not checked.</summary>
    internal void Find(bool isV4, byte* record, uint* word, byte* pick, int count, int* sources, int* destinations, int* services)
    {
        ServiceClasses(record + _layout.TransportOffset, word, pick, services, count);
        if (isV4)
        {
            Addresses32(in _source, record + _layout.SourceOffset + sizeof(ulong), pick, sources, count);
            Addresses32(in _destination, record + _layout.DestinationOffset + sizeof(ulong), pick, destinations, count);
        }
        else
        {
            Addresses128(_source.Trie!, record + _layout.SourceOffset, pick, sources, count);
            Addresses128(_destination.Trie!, record + _layout.DestinationOffset, pick, destinations, count);
        }
    }

    /// <summary>The classes of all packets of a batch, if all are IPv4; false when one is not, or when these tables need what is not looked at here.</summary>
    internal bool TryFindAll4(byte* record, int port, byte* all, int count, int* sources, int* destinations, int* services)
    {
        if (!_service.IgnoresFlags || !_service.IgnoresStates || !TryServiceClasses(record, port, count, services))
            return false;
        byte* from = record + _layout.SourceOffset + sizeof(ulong), to = record + _layout.DestinationOffset + sizeof(ulong);
        if (_source.Direct is not Ipv4ClassTable source || _destination.Direct is not Ipv4ClassTable destination)
        {
            Addresses32(in _source, from, all, sources, count);
            Addresses32(in _destination, to, all, destinations, count);
            return true;
        }

        int size = _layout.RecordBytes;
        fixed (uint* rootA = source.Root, rootB = destination.Root, cellsA = source.Cells, cellsB = destination.Cells)
        {
            for (int i = 0; i < count; i++)
            {
                sources[i] = (int)Ipv4ClassTable.Walk(rootA, cellsA, *(uint*)from);
                destinations[i] = (int)Ipv4ClassTable.Walk(rootB, cellsB, *(uint*)to);
                from += size;
                to += size;
            }
        }

        return true;
    }

    private bool TryServiceClasses(byte* record, int port, int count, int* services)
    {
        int size = _layout.RecordBytes, transports = _layout.TransportOffset, header = _layout.HeaderOffset, fragment = _layout.FragmentOffset;
        int later = _layout.LaterFragment;

        // With one class of source ports their table is left where it is: a random port costs a cache line.
        uint sourceMask = _service.IgnoresSourcePorts ? 0u : ushort.MaxValue;
        fixed (int* row = _service.RowsOfPort(port), pair = _service.Pairs, @class = _service.ClassOf)
        fixed (ushort* sourcePort = _service.SourcePorts, destinationPort = _service.DestinationPorts)
        {
            for (int i = 0; i < count; i++)
            {
                ulong transport = *(ulong*)(record + transports);
                if ((byte)transport != 4)
                    return false;
                uint protocol = (byte)(transport >> 8);
                int part = record[fragment] - later, at = *(ushort*)(record + header);
                uint isHere = (uint)(((part | -part) & (at | -at)) >> 31);
                int pairs = row[protocol | ((ServiceTable.HasByProtocol(protocol) << 8) & isHere)] + sourcePort[(uint)(transport >> 48) & sourceMask];
                services[i] = @class[pair[pairs] + destinationPort[(ushort)(transport >> 32)]];
                record += size;
            }
        }

        return true;
    }

    private void Addresses32(in AddressTable table, byte* addresses, byte* pick, int* classes, int count)
    {
        int size = _layout.RecordBytes;
        if (table.Direct is Ipv4ClassTable direct)
        {
            fixed (uint* root = direct.Root, cells = direct.Cells)
            {
                for (int i = 0; i < count; i++)
                    classes[i] = (int)Ipv4ClassTable.Walk(root, cells, *(uint*)(addresses + (pick[i] * size)));
            }

            return;
        }

        PrefixTable trie = table.Trie!;
        fixed (int* root = trie.Root)
        fixed (ushort* lasts = &trie.Lasts)
        fixed (uint* targets = trie.Targets)
        {
            for (int i = 0; i < count; i++)
                classes[i] = (int)PrefixTable.Walk(root, lasts, targets, *(uint*)(addresses + (pick[i] * size)));
        }
    }

    private void Addresses128(PrefixTable trie, byte* addresses, byte* pick, int* classes, int count)
    {
        int size = _layout.RecordBytes;
        fixed (int* root = trie.Root)
        fixed (ushort* lasts = &trie.Lasts)
        fixed (uint* targets = trie.Targets)
        {
            for (int i = 0; i < count; i++)
            {
                ulong* address = (ulong*)(addresses + (pick[i] * size));
                classes[i] = (int)PrefixTable.Walk(root, lasts, targets, address[0], address[1]);
            }
        }
    }

    private void ServiceClasses(byte* transports, uint* words, byte* pick, int* services, int count)
    {
        int size = _layout.RecordBytes;
        if (!_service.IgnoresStates)
        {
            for (int i = 0; i < count; i++)
            {
                ulong transport = *(ulong*)(transports + (pick[i] * size));
                services[i] = _service.Find(words[pick[i]], (ushort)(transport >> 48), (ushort)(transport >> 32));
            }

            return;
        }

        fixed (ushort* protocol = _service.Protocols, flags = _service.Flags, port = _service.Ports, sourcePort = _service.SourcePorts,
            destinationPort = _service.DestinationPorts)
        fixed (int* row = _service.Words, pair = _service.Pairs, @class = _service.ClassOf)
        {
            for (int i = 0; i < count; i++)
            {
                ulong transport = *(ulong*)(transports + (pick[i] * size));
                uint w = words[pick[i]];
                int first = row[protocol[(w & 0xFF) | ((w >> 16) & 0x300)] + flags[(byte)(w >> 16)] + port[(byte)(w >> 8)]];
                services[i] = @class[pair[first + sourcePort[transport >> 48]] + destinationPort[(ushort)(transport >> 32)]];
            }
        }
    }
}
