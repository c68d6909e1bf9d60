using System.Text.Json;
using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>The leases of one network as one document, for those who keep them elsewhere than in files: in a registry that several hosts share.</summary>
/// <remarks>
/// A document is read, changed and written back whole, and whoever writes it sees to it that nobody has written it in between: then no address is ever given twice.
/// Not safe for several threads at a time.
/// </remarks>
public sealed class LeaseDocument
{
    private readonly LeaseBook _book;

    private LeaseDocument(LeaseBook book) => _book = book;

    /// <summary>Whether <see cref="ToBytes"/> is another document than the one that was read.</summary>
    public bool IsChanged => _book.IsChanged;

    /// <summary>The leases by address; those that were given back and still rest are among them.</summary>
    public IReadOnlyList<AddressLease> Leases => _book.Leases;

    /// <summary>Reads a document.</summary>
    /// <param name="document">Its bytes; empty: a network of which nothing has been given yet.</param>
    /// <param name="now">The time.</param>
    /// <param name="releaseDelay">For how long an address that was given back is kept from other holders; null: ten seconds.</param>
    /// <exception cref="FormatException">The bytes are no such document.</exception>
    public static LeaseDocument Read(ReadOnlySpan<byte> document, DateTimeOffset now, TimeSpan? releaseDelay = null)
    {
        try
        {
            LeaseFile file = document.IsEmpty ? new LeaseFile() : JsonSerializer.Deserialize(document, LeaseJson.Default.LeaseFile) ?? throw new JsonException("null");
            var book = new LeaseBook(file);
            book.Begin(now, releaseDelay ?? TimeSpan.FromSeconds(10));
            return new LeaseDocument(book);
        }
        catch (JsonException wrong)
        {
            throw new FormatException($"The leases are damaged ({wrong.Message}).", wrong);
        }
    }

    /// <inheritdoc cref="AddressLeases.Take"/>
    /// <remarks>After a refusal the document is not to be used any more.</remarks>
    public IReadOnlyList<IpAddress> Take(string network, IReadOnlyList<AddressPool> pools, string holder, IReadOnlyList<IpAddress>? wanted = null)
    {
        ArgumentNullException.ThrowIfNull(pools);
        ArgumentException.ThrowIfNullOrEmpty(holder);
        return _book.Take(network, pools, holder, wanted ?? []);
    }

    /// <summary>Takes back what those holders have who are meant.</summary>
    /// <returns>The addresses that were taken back.</returns>
    public IReadOnlyList<IpAddress> Release(Func<string, bool> isMeant)
    {
        ArgumentNullException.ThrowIfNull(isMeant);
        return _book.Release(isMeant);
    }

    /// <summary>Makes what a holder has, or had until a moment ago, another's: a container that moves keeps its addresses.</summary>
    public void Rename(string from, string to) => _book.Rename(from, to);

    /// <summary>The document as it is now.</summary>
    public byte[] ToBytes() => _book.ToFile().ToBytes();
}
