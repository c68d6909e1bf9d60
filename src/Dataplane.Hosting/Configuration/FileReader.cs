using System.Text;
using Dataplane.Configuration;

namespace Dataplane.Hosting.Configuration;

/// <summary>Reads one file again and again: what stands there as it did is not read anew, so that a reload costs what has changed.</summary>
/// <remarks>
/// Routes, services and rules are thousands, and a change is mostly of a few. Of those that stand in lists of lines (<c>- to: ...</c>) the text is kept with what it was read as
/// (<see cref="FileText"/>); where it stands again, the parser gets a mark in its place, for as many of them as follow each other. Everything else takes the way of any file. A text is read
/// whole, as by <see cref="ConfigurationFile"/>, when anything at all is wrong with it, when a mark is not found again where an element of such a list is, and when it has characters
/// that make ends of lines a matter of opinion. Any thread; one reads at a time.
/// </remarks>
internal sealed class FileReader(string path)
{
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Lock _reading = new();
    private FileText _before = new(), _now = new();

    /// <summary>How many elements of lists were not read anew the last time.</summary>
    public int Reused { get; private set; }

    /// <inheritdoc cref="ConfigurationFile.Load"/>
    public LoadResult Load(Func<DataplaneSpec, DataplaneSpec>? change = null)
    {
        lock (_reading)
        {
            Reused = 0;
            LoadResult? result = null;
            DataplaneSpec? read = null;
            if (_now.TryFill(path))
            {
                result = LoadKnown(spec => Kept(spec, change));
            }

            if (result is null)
            {
                // Whoever made a mistake is told of it as always.
                return ConfigurationFile.Load(path, change);
            }

            if (result.Spec is not null)
            {
                _now.Learn(read!);
                (_before, _now) = (_now, _before);
            }

            return result;

            DataplaneSpec Kept(DataplaneSpec spec, Func<DataplaneSpec, DataplaneSpec>? changed)
            {
                read = spec;
                return changed is null ? spec : changed(spec);
            }
        }
    }

    /// <summary>Reads with the help of what is known; null when that does not do.</summary>
    private LoadResult? LoadKnown(Func<DataplaneSpec, DataplaneSpec> change)
    {
        var errors = new List<ConfigurationError>();
        ReadOnlySpan<byte> remainder = _now.WithoutKnown(_before);
        string text;
        try
        {
            text = s_strictUtf8.GetString(remainder);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        int known = _now.CountKnown;
        _now.Root = YamlTreeReader.Read(text, path, errors, known: _now.KnownOf);
        if (_now.Root is null || (known > 0 && errors.Count > 0))
        {
            return known > 0 ? null : new LoadResult { Errors = errors };
        }

        LoadResult result = LoadResult.From(_now.Root, errors, change);
        if (known > 0 && (result.Spec is null || !_now.IsAllTaken))
        {
            return null;
        }

        Reused = known;
        return result;
    }
}
