using System.Globalization;
using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>Who has which address of a network: kept in a directory, one file for each network, shared by any number of processes.</summary>
/// <remarks>
/// Every call reads what is new in the file and appends its change under a lock, and returns when that is on the disk: a crash at any moment leaves the leases
/// as they were before or after, and what a call costs does not grow with the leases there are. All members may be called by any thread of any process.
/// </remarks>
public sealed class AddressLeases
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, LeaseJournal> _journals = new(StringComparer.Ordinal);

    /// <summary>Opens a directory of leases, which is made if it does not exist.</summary>
    /// <param name="directory">Where the files are.</param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <exception cref="IOException">The directory cannot be made.</exception>
    public AddressLeases(string directory, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        _directory = Directory.CreateDirectory(directory).FullName;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>For how long an address that was given back is kept from other holders, whose neighbours may still know the one before.</summary>
    public TimeSpan ReleaseDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Gives a holder an address of each pool; what it has already, it keeps.</summary>
    /// <param name="network">Name of the network: letters, digits, <c>-</c>, <c>_</c> or <c>.</c>.</param>
    /// <param name="pools">The network's pools, each of which gives one address.</param>
    /// <param name="holder">Who asks.</param>
    /// <param name="wanted">Addresses that it must have, at most one of each pool; empty: any.</param>
    /// <returns>The addresses in the order of the pools.</returns>
    /// <exception cref="LeaseException">A pool has no free address, or one that is wanted is not free or in no pool. Nothing has been given.</exception>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    public IReadOnlyList<IpAddress> Take(string network, IReadOnlyList<AddressPool> pools, string holder, IReadOnlyList<IpAddress>? wanted = null)
    {
        ArgumentNullException.ThrowIfNull(pools);
        ArgumentException.ThrowIfNullOrEmpty(holder);
        return Change(network, book => book.Take(network, pools, holder, wanted ?? []));
    }

    /// <summary>Takes back what a holder has; nothing is no error.</summary>
    /// <returns>The addresses it had.</returns>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    public IReadOnlyList<IpAddress> Release(string network, string holder) => Change(network, book => book.Release(holder));

    /// <summary>Takes back what nobody who is attached has: after a crash, and whenever something may have been missed.</summary>
    /// <param name="network">Name of the network.</param>
    /// <param name="isAttached">Whether a holder is attached.</param>
    /// <returns>The addresses that were taken back.</returns>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    public IReadOnlyList<IpAddress> Reconcile(string network, Func<string, bool> isAttached)
    {
        ArgumentNullException.ThrowIfNull(isAttached);
        return Change(network, book => book.Release(holder => !isAttached(holder)));
    }

    /// <summary>The leases of a network, by address; those that were given back and still rest are among them.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IReadOnlyList<AddressLease> Read(string network) => Locked(network, journal => journal.Load(_time.GetUtcNow(), ReleaseDelay).Leases);

    /// <summary>Forgets a network and all its leases; one that is not known is no error.</summary>
    /// <exception cref="IOException">The file cannot be removed.</exception>
    public void Remove(string network)
    {
        string path = PathOf(network);
        using IDisposable held = Lock();
        lock (_journals)
        {
            _journals.Remove(network);
            File.Delete(Path.ChangeExtension(path, ".json"));
            File.Delete(path);
        }
    }

    /// <summary>Bytes written so far for a network.</summary>
    internal long BytesWritten(string network) => Locked(network, journal => journal.BytesWritten);

    private T Change<T>(string network, Func<LeaseBook, T> change) => Locked(network, journal =>
    {
        try
        {
            T result = change(journal.Load(_time.GetUtcNow(), ReleaseDelay));
            journal.Save();
            return result;
        }
        catch
        {
            journal.Forget();
            throw;
        }
    });

    private T Locked<T>(string network, Func<LeaseJournal, T> work)
    {
        string path = PathOf(network);
        using IDisposable held = Lock();
        lock (_journals)
        {
            if (!_journals.TryGetValue(network, out LeaseJournal? journal))
            {
                _journals[network] = journal = new LeaseJournal(path);
            }

            return work(journal);
        }
    }

    private IDisposable Lock() => DurableFile.Lock(Path.Combine(_directory, "lock"), s_patience);

    private string PathOf(string network)
    {
        bool isName = network is { Length: > 0 and <= 64 } && network[0] != '.' && network.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');
        return isName
            ? Path.Combine(_directory, network + ".leases")
            : throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"\"{network}\" is not the name of a network: 1 to 64 letters, digits, -, _ or . are needed."), nameof(network));
    }
}
